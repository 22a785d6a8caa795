import { describe, expect, it } from '@jest/globals';
import { encodeManifestLine, type ManifestEntry } from '../../src/manifest/index.js';
import { headOfLine } from '../../src/manifest/plain-entry.js';
import {
  factsOf,
  factsOfParsed,
  factsOfUsual,
  listedEntryOf,
} from '../../src/transfer/fetched-facts.js';
import { fetchedText, keysOf, parseLine } from '../../src/transfer/journal-lines.js';

const ENTRY: ManifestEntry = {
  path: 'a/b.bin',
  sizeBytes: 1_024,
  sha256: '0123456789abcdef'.repeat(4),
  level: 'size',
  comparedDigests: [],
  attempts: 1,
};
const STAMP = { mtimeNs: '1763000000123000000', ctimeNs: '1763000001000000001', inode: '42' };
const PIN = { strength: 'strong', value: 'ctime:1+2+3+4' } as const;

const ENTRIES: readonly (readonly [string, ManifestEntry])[] = [
  ['the least', ENTRY],
  [
    'as from a folder',
    { ...ENTRY, pin: PIN, modifiedAt: '2026-01-02T03:04:05.678Z', isExecutable: true },
  ],
  ['a quoted pin', { ...ENTRY, pin: { strength: 'weak', value: 'etag:"x"' } }],
  ['an awkward name', { ...ENTRY, path: 'a "b"\n\\,"level":"digest"' }],
  ['not ASCII', { ...ENTRY, path: 'é/😀' }],
  [
    'digests',
    {
      ...ENTRY,
      level: 'provider',
      providerDigests: { md5: 'a'.repeat(32) },
      comparedDigests: ['md5'],
      expectedFrom: 'md5 of the store',
    },
  ],
  [
    'as from a bucket',
    {
      ...ENTRY,
      level: 'published',
      pin: { strength: 'strong', value: 'etag:"0123456789abcdef0123456789abcdef"' },
      modifiedAt: '2026-01-02T03:04:05.000Z',
      expectedFrom: 'md5, sha256 of the store',
      providerDigests: { sha256: ENTRY.sha256, md5: 'a'.repeat(32), crc64nvme: 'b'.repeat(16) },
      comparedDigests: ['crc64nvme', 'md5', 'sha256'],
    },
  ],
  [
    'as from HDFS',
    {
      ...ENTRY,
      level: 'provider',
      pin: { strength: 'strong', value: 'version:16388/mtime:1795746950091+3000000' },
      modifiedAt: '2026-01-02T03:04:05.000Z',
      isExecutable: false,
      expectedFrom: 'md5crc of the store',
      providerDigests: { md5crc: `crc32c/512/134217728/${'c'.repeat(32)}` },
      comparedDigests: ['md5crc'],
    },
  ],
  ['a pin with a backslash', { ...ENTRY, pin: { strength: 'weak', value: 'etag:"\\\\"x\\n"' } }],
  ['read back', { ...ENTRY, readBack: 'disk' }],
];

const textOf = (entry: ManifestEntry): string => {
  const { path, sizeBytes } = entry;
  const parts = { planId: 'plan', path, sizeBytes, head: headOfLine(entry), stamp: STAMP };
  return fetchedText(parts, 7).text;
};

/** What no store says of a file: its line may be parsed. */
const RARE = ['an awkward name', 'a pin with a backslash', 'read back'];

describe('what sealing reads of a fetched line', () => {
  it.each(ENTRIES)('is found the quick way, and is what the slow way says: %s', (title, entry) => {
    const [quick, slow] = [factsOfUsual, factsOfParsed].map((read) => read(textOf(entry)));
    if (RARE.includes(title)) expect(quick).toBeUndefined();
    else expect(quick).toMatchObject({ ...slow, entry: { path: entry.path, level: entry.level } });
    expect(slow?.entry).toMatchObject({ ...quick?.entry });
  });

  it.each(ENTRIES)('is what parsing it says: %s', (_, entry) => {
    const { path, sizeBytes } = entry;
    const text = textOf(entry);
    const whole = { ...entry, local: STAMP };
    expect(parseLine(text)).toEqual({
      kind: 'fetched',
      planId: 'plan',
      entry: whole,
      bytesFetched: 7,
    });
    expect(keysOf(text)).toEqual({ kind: 'fetched', planId: 'plan', path, sizeBytes });
    const facts = factsOf(text);
    expect(facts).toMatchObject({
      planId: 'plan',
      bytesFetched: 7,
      line: encodeManifestLine(whole).trimEnd(),
    });
    const { sha256, level, pin, readBack } = whole;
    expect(facts?.entry).toMatchObject({ path, sizeBytes, sha256, level });
    expect([facts?.entry.pin, facts?.entry.readBack]).toEqual([pin, readBack]);
    expect(facts?.entry.local).toMatchObject({ mtimeNs: STAMP.mtimeNs, inode: STAMP.inode });
    expect(listedEntryOf(facts?.line ?? '')).toMatchObject({ path, sizeBytes, sha256, level });
  });

  it('is put into the order of the manifest where an earlier release wrote it in another', () => {
    const providerDigests = { md5: 'a'.repeat(32), sha1: 'b'.repeat(40) };
    const head = { path: ENTRY.path, sizeBytes: 1, sha256: ENTRY.sha256, level: 'size' } as const;
    const tail = { comparedDigests: [], attempts: 1, local: STAMP };
    const digestsApart = { ...head, providerDigests, ...tail };
    const line = { kind: 'fetched', planId: 'plan', entry: digestsApart, bytesFetched: 7 };
    expect(factsOf(JSON.stringify(line))?.line).toBe(encodeManifestLine(digestsApart).trimEnd());
    const entry = { ...ENTRY, pin: PIN, local: STAMP };
    const text = JSON.stringify({ kind: 'fetched', planId: 'plan', entry, bytesFetched: 7 });
    expect(text).toContain('"comparedDigests":[],"attempts":1,"pin"');
    expect(factsOf(text)?.line).toBe(encodeManifestLine(entry).trimEnd());
  });

  it('is nothing of any other line, and a stale file stays one', () => {
    expect(factsOf('{"kind":"durable"}')).toBeUndefined();
    expect(factsOf('{"kind":"fetched","planId":"plan"}')).toBeUndefined();
    const stale = { ...ENTRY, isStale: true } as const;
    expect(listedEntryOf(encodeManifestLine(stale).trimEnd()).isStale).toBe(true);
    const left = { ...stale, isLeft: true } as const;
    expect(listedEntryOf(encodeManifestLine(left).trimEnd()).isStale).toBe(true);
  });
});
