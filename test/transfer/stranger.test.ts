/** What a finished pull leaves, in the hands of people and tools that know nothing of Waybill. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PullResult } from '../../src/model/pull.js';
import { modelSigningRoot } from '../helpers/model-signing.js';
import { ThereBed } from '../helpers/there.js';
import { AWKWARD_NAMES } from '../helpers/tree.js';

const LONG_MS = 300_000;

/** A stranger's script: the receipt, its lists, and the tools of every Linux. It ends with the number of what is wrong. */
const CHECK = `
set -u
cd -- "$1" || exit 9
record=.waybill
said() { sed -n 's/^ *"'"$1"'": "\\{0,1\\}\\([0-9a-f]*\\)"\\{0,1\\},\\{0,1\\}$/\\1/p' "$record/receipt.json" | head -n 1; }
is() { sha256sum < "$record/$1" | cut -c 1-64; }
[ "$(is SHA256SUMS)" = "$(said treeDigest)" ] || { echo "the list is another"; exit 2; }
[ "$(is manifest.ndjson)" = "$(said manifestDigest)" ] || { echo "the manifest is another"; exit 3; }
sha256sum --strict --quiet -c "$record/SHA256SUMS" < /dev/null || exit 4
there=$(find . -path ./.waybill -prune -o -type f -printf x | wc -c)
[ "$there" = "$(said files)" ] || { echo "$there files instead of $(said files)"; exit 5; }
bytes=$(find . -path ./.waybill -prune -o -type f -printf '%s\\n' | awk '{ sum += $1 } END { print sum + 0 }')
[ "$bytes" = "$(said bytes)" ] || exit 6
echo "$there files, $bytes bytes"
`;

const NASTY = [
  '-',
  '-rf',
  '--',
  '-c',
  'deep/-',
  ' ',
  'a\nb',
  '\n',
  '#',
  "'",
  '"',
  '*',
  '$(id)',
  '&&',
];

/** Left out by Model Signing at the root, and only there. */
const IGNORED = ['.gitattributes', '.gitignore', 'model.sig', '.git/config', '.github/x'];
/** In UTF-16 units the second of each pair comes first. */
const UTF16 = ['\uff01', '\u{1f600}', 'd/\uffee/x', 'd/\u{10000}/x', 'e\uff5e', 'e\u{10ffff}'];

let bed: ThereBed;
let pulled: string;
let result: PullResult;
let copies = 0;

beforeAll(async () => {
  bed = await ThereBed.open('stranger');
  const from = join(bed.root, 'source');
  const names = [
    ...AWKWARD_NAMES,
    ...NASTY,
    ...IGNORED,
    ...UTF16,
    'sub/.gitignore',
    'sub/model.sig',
  ];
  for (const name of new Set(names)) {
    await mkdir(dirname(join(from, name)), { recursive: true });
    await writeFile(join(from, name), `content of ${name}`);
  }
  await writeFile(join(from, 'empty'), '');
  pulled = join(bed.root, 'pulled');
  result = await bed.pull(from, pulled);
}, LONG_MS);
afterAll(() => bed.close());

function check(folder: string): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', CHECK, 'sh', folder], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' },
  });
  return { status, said: stdout + stderr };
}

/** A copy of what was pulled, for a test to damage. */
function copy(): string {
  const to = join(bed.root, `copy-${(copies += 1)}`);
  cpSync(pulled, to, { recursive: true });
  return to;
}

describe('a stranger with coreutils, the receipt and its lists', () => {
  it('rule 33: re-checks a tree with nasty names', () => {
    expect(result).toMatchObject({ ok: true, failures: [] });
    expect(check(pulled)).toEqual({
      status: 0,
      said: `${result.files} files, ${result.bytes} bytes\n`,
    });
  });

  it.each(['-', 'a\nb', '-rf', '\n', 'deep/-', '..two-dots-first'])(
    'rule 33: notices a flipped bit in %j',
    (name) => {
      const to = copy();
      const bytes = readFileSync(join(to, name));
      bytes.writeUInt8(bytes.readUInt8(3) ^ 1, 3);
      writeFileSync(join(to, name), bytes);
      expect(check(to)).toMatchObject({ status: 4, said: expect.stringContaining('FAILED') });
    },
  );

  it('rule 33: notices a missing file, an empty one too, and an extra one', () => {
    for (const name of ['-rf', 'empty', '\n']) {
      const to = copy();
      rmSync(join(to, name));
      expect(check(to)).toMatchObject({ status: 4, said: expect.stringContaining('FAILED') });
    }
    const to = copy();
    writeFileSync(join(to, 'deep/extra\nfile'), '');
    expect(check(to)).toEqual({
      status: 5,
      said: `${result.files + 1} files instead of ${result.files}\n`,
    });
  });

  it('rule 33: notices lists that were edited, together with a file or not', () => {
    const list = copy();
    writeFileSync(
      join(list, '.waybill/SHA256SUMS'),
      readFileSync(join(list, '.waybill/SHA256SUMS'), 'utf8').replace(/^.*  --\n/mu, ''),
    );
    rmSync(join(list, '--'));
    expect(check(list)).toMatchObject({ status: 2 });
    const manifest = copy();
    appendFileSync(join(manifest, '.waybill/manifest.ndjson'), '\n');
    expect(check(manifest)).toMatchObject({ status: 3 });
  });
});

describe('the model_signing tool', () => {
  it(
    'rule 31: computes the omsDigest of a pull whose names sort otherwise in UTF-16, and leaves out the same files',
    async () => {
      expect(result.omsDigest).toMatch(/^[0-9a-f]{64}$/u);
      expect(await modelSigningRoot(pulled)).toBe(result.omsDigest);
      const without = copy();
      for (const name of [...IGNORED, '.git', '.github']) {
        rmSync(join(without, name), { recursive: true, force: true });
      }
      expect(await modelSigningRoot(without)).toBe(result.omsDigest);
      rmSync(join(without, 'sub/.gitignore'));
      expect(await modelSigningRoot(without)).not.toBe(result.omsDigest);
    },
    LONG_MS,
  );
});
