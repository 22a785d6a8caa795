import { describe, expect, it } from '@jest/globals';
import { compareManifests, compareWithListing } from '../../src/manifest/compare.js';
import { localStampOf, sameLocalStamp } from '../../src/manifest/local-stamp.js';
import {
  decodeManifest,
  encodeManifestLine,
  manifestEntrySchema,
} from '../../src/manifest/manifest.js';
import type { ManifestEntry } from '../../src/manifest/manifest.js';
import { isPlainEntry, textOfPlain } from '../../src/manifest/plain-entry.js';
import type { ObjectEntry } from '../../src/model/object-entry.js';

const SHA = '0123456789abcdef'.repeat(4);
const OTHER = 'f'.repeat(64);

const entry = (path: string, rest: Partial<ManifestEntry> = {}): ManifestEntry => ({
  path,
  sizeBytes: 5,
  sha256: SHA,
  level: 'provider',
  pin: { strength: 'strong', value: 'etag:"x"' },
  modifiedAt: '2026-01-02T03:04:05Z',
  isExecutable: true,
  expectedFrom: 's3 md5 (ETag)',
  providerDigests: { md5: 'a'.repeat(32) },
  comparedDigests: ['md5'],
  attempts: 1,
  local: localStampOf({ mtimeNs: 1_763_000_000_123_456_789n, ctimeNs: 2n, ino: 2n ** 63n }),
  ...rest,
});

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

describe('the manifest', () => {
  it('reads back what it wrote, nanoseconds and awkward names included', async () => {
    const entries = [
      entry('a\n"b'),
      entry('é', { level: 'none', comparedDigests: [] }),
      entry('😀'),
    ];
    const text = entries.map(encodeManifestLine).join('');
    expect(text.split('\n')).toHaveLength(4);
    expect(await collect(decodeManifest([text]))).toEqual(entries);
  });

  it('says which line is torn, edited or out of order', async () => {
    const line = encodeManifestLine(entry('b'));
    const read = (text: string): Promise<unknown> => collect(decodeManifest([text]));
    await expect(read(line.slice(0, -1))).rejects.toMatchObject({
      code: 'WB_LOCAL_DAMAGE',
      message: 'line 1 of manifest.ndjson is torn off: the file was cut',
    });
    await expect(read(`${line}{"path":\n`)).rejects.toThrow(/line 2 .* is not JSON/);
    await expect(read(line.replace(SHA, SHA.toUpperCase()))).rejects.toThrow(
      /line 1 .* sha256: not 64 lowercase hex digits/,
    );
    await expect(read(line.replace('"sizeBytes":5', '"sizeBytes":-5'))).rejects.toThrow(
      /sizeBytes/,
    );
    await expect(read(line + line)).rejects.toThrow(/line 2 .* out of order/);
  });

  it('refuses to write a line that it would not read', () => {
    expect(() => encodeManifestLine(entry('x', { sizeBytes: 1.5 }))).toThrow(/none/);
  });

  it('writes a line without the schema, just as the schema would, and nothing that it would refuse', () => {
    const whole = entry('a', { readBack: 'disk', isStale: true, isLeft: true });
    const { path, sizeBytes, sha256, level, comparedDigests, attempts } = whole;
    // Keys in any order, as they were put together.
    const least = { attempts, comparedDigests, level, sha256, sizeBytes, path };
    const providerDigests = { crc64nvme: '0'.repeat(16), md5: 'a'.repeat(32), sha256 };
    const some = {
      ...least,
      isExecutable: false,
      providerDigests,
      comparedDigests: ['sha1', 'crc32'],
    };
    for (const usual of [whole, least, some]) {
      const written = JSON.stringify(manifestEntrySchema.parse(usual));
      expect(textOfPlain(usual as ManifestEntry)).toBe(written);
    }
    for (const key of Object.keys(whole)) {
      for (const value of [undefined, null, '', -1, 1.5, 'x', {}, [1], { strength: 'strong' }]) {
        const odd = { ...whole, [key]: value };
        const checked = manifestEntrySchema.safeParse(odd);
        const written = checked.success ? JSON.stringify(checked.data) : undefined;
        expect([undefined, written]).toContain(textOfPlain(odd as ManifestEntry));
      }
    }
    for (const key of Object.keys(least)) {
      expect(
        isPlainEntry(Object.fromEntries(Object.entries(least).filter(([one]) => one !== key))),
      ).toBe(false);
    }
    const md4 = { ...whole, providerDigests: { md4: 'a'.repeat(32) } };
    for (const strange of [null, 1, 'x', [], { ...whole, more: 1 }, md4]) {
      expect(isPlainEntry(strange)).toBe(false);
    }
  });

  it('an absent stamp is never the stamp of an untouched file', () => {
    const stamp = localStampOf({ mtimeNs: 1n, ctimeNs: 2n, ino: 3n });
    expect(sameLocalStamp(stamp, { ...stamp })).toBe(true);
    expect(sameLocalStamp(stamp, { ...stamp, ctimeNs: '9' })).toBe(false);
    expect(sameLocalStamp(undefined, undefined)).toBe(false);
  });

  it('tells what changed, what is missing and what is extra, in byte order', async () => {
    const before = [entry('a'), entry('b'), entry('\u{ffee}'), entry('\u{1f600}')];
    const after = [entry('b', { sha256: OTHER }), entry('c'), entry('\u{1f600}')];
    const found = await collect(compareManifests(before, after));
    expect(found.map(({ path, verdict }) => `${path} ${verdict}`)).toEqual([
      'a missing',
      'b changed',
      'c extra',
      '\u{ffee} missing',
      '\u{1f600} same',
    ]);
  });

  it('rule 12: a listing keeps a file by a strong pin or a digest, never by a weak pin alone', async () => {
    const weak = { strength: 'weak', value: 'mtime:1' } as const;
    const listed = (path: string, rest: Partial<ObjectEntry>): ObjectEntry => ({
      path,
      kind: 'file',
      sizeBytes: 5,
      ...rest,
    });
    const manifest = ['a', 'b', 'c', 'd', 'e'].map((path) =>
      entry(path, path === 'd' ? { pin: weak } : {}),
    );
    const listing = [
      listed('a', { pin: { strength: 'strong', value: 'etag:"x"' } }),
      listed('b', { digests: { sha256: SHA } }),
      listed('c', { pin: { strength: 'strong', value: 'etag:"x"' }, sizeBytes: 6 }),
      listed('d', { pin: weak }),
      listed('e', { pin: { strength: 'strong', value: 'etag:"y"' } }),
    ];
    const found = await collect(compareWithListing(manifest, listing));
    expect(found.map(({ verdict }) => verdict)).toEqual([
      'same',
      'same',
      'changed',
      'changed',
      'changed',
    ]);
  });
});
