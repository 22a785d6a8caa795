import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { collectSums, formatSumsLine, parseSums } from '../../src/manifest/sha256sums.js';
import type { ParseSumsOptions, SumsEntry } from '../../src/manifest/sha256sums.js';
import { compareByBytes } from '../../src/model/object-path.js';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

async function parse(
  text: string | Uint8Array[],
  options?: ParseSumsOptions,
): Promise<SumsEntry[]> {
  const found: SumsEntry[] = [];
  for await (const entry of parseSums(typeof text === 'string' ? [text] : text, options)) {
    found.push(entry);
  }
  return found;
}

const AWKWARD = [
  'plain.bin',
  ' leading and trailing ',
  '*star',
  '#comment?',
  'new\nline',
  'carriage\rreturn',
  'back\\slash',
  'back\\nslash',
  '\\',
  'percent%20+&=\'"`$(x)',
  '-dash',
  'é-nfc',
  'é-nfd',
  '😀',
  '\u{ffee}',
];

describe('SHA256SUMS', () => {
  it('writes lines that sha256sum itself accepts strictly, for awkward names too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'waybill-sums-'));
    try {
      const lines = [...AWKWARD].sort(compareByBytes).map((path) => {
        writeFileSync(join(folder, path), path);
        return formatSumsLine({ path, sha256: createHash('sha256').update(path).digest('hex') });
      });
      writeFileSync(join(folder, 'SUMS'), lines.join(''));
      const told = execFileSync('sha256sum', ['--strict', '-c', 'SUMS'], { cwd: folder });
      expect(told.toString().match(/: OK$/gm)).toHaveLength(AWKWARD.length);
      const made = execFileSync('sha256sum', ['--', ...AWKWARD], { cwd: folder });
      expect((await parse(made.toString(), { isStrict: true })).map((entry) => entry.path)).toEqual(
        AWKWARD,
      );
      const tagged = execFileSync('sha256sum', ['--tag', '--', ...AWKWARD], { cwd: folder });
      expect(await parse(tagged.toString(), { isStrict: true })).toEqual(
        await parse(made.toString()),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('reads back what it wrote, in chunks cut anywhere', async () => {
    const text = AWKWARD.map((path) => formatSumsLine({ path, sha256: A })).join('');
    const bytes = Buffer.from(text);
    for (const size of [1, 7, 64]) {
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
      expect((await parse(chunks, { isStrict: true })).map((entry) => entry.path)).toEqual(AWKWARD);
    }
  });

  it('reads the binary flag, upper-case digits, CRLF, comments, empty lines and a leading ./', async () => {
    const text = `# sums\r\n${A} *one\r\n\r\n${B.toUpperCase()}  ./dir/two\r\n`;
    expect(await parse(text, { isStrict: true })).toEqual([
      { path: 'one', sha256: A },
      { path: 'dir/two', sha256: B },
    ]);
  });

  it('passes over other lines unless strict, and refuses a text in which no line is a checksum', async () => {
    const text = `${'c'.repeat(32)}  an md5\n${A}  one\n${A} short\n\\${A}  bad\\escape\n`;
    expect(await parse(text)).toEqual([{ path: 'one', sha256: A }]);
    await expect(parse(text, { isStrict: true })).rejects.toMatchObject({ code: 'WB_USAGE' });
    await expect(parse('<html>\n')).rejects.toThrow(/no line of it is a SHA-256/);
  });

  it('refuses a torn last line only when strict', async () => {
    expect(await parse(`${A}  one`)).toHaveLength(1);
    await expect(
      parse(`${A}  one`, { isStrict: true, code: 'WB_LOCAL_DAMAGE', name: 'the list' }),
    ).rejects.toMatchObject({ code: 'WB_LOCAL_DAMAGE', message: /the list: line 1 is torn/ });
  });

  it('refuses a line without end before it fills the memory, and bytes that are no UTF-8', async () => {
    const endless = function* (): Generator<Uint8Array> {
      for (let times = 0; times < 10_000; times += 1) yield Buffer.alloc(65_536, 'x');
    };
    const read = async (): Promise<void> => {
      for await (const _ of parseSums(endless())) throw new Error('no entry was expected');
    };
    await expect(read()).rejects.toThrow(/line 1 of SHA256SUMS is longer than/);
    await expect(parse([Buffer.from([0xff, 0xfe, 0x0a])])).rejects.toMatchObject({
      code: 'WB_USAGE',
    });
  });

  it('refuses one name with two digests, and more names than the limit', async () => {
    await expect(collectSums([`${A}  one\n${B}  one\n`])).rejects.toThrow(/two different digests/);
    await expect(collectSums([`${A}  one\n${B}  two\n`], { maxEntries: 1 })).rejects.toMatchObject({
      code: 'WB_LIMIT_EXCEEDED',
    });
    expect(await collectSums([`${A}  one\n${A}  one\n`])).toEqual(new Map([['one', A]]));
  });

  it('refuses to write what is no digest', () => {
    expect(() => formatSumsLine({ path: 'x', sha256: A.toUpperCase() })).toThrow(/not a SHA-256/);
  });
});
