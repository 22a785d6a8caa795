import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { RecordWriter, TreeDigester, digestTree } from '../../src/manifest/digests.js';
import type { ManifestEntry } from '../../src/manifest/manifest.js';
import { LateFolders, OmsOrder } from '../../src/manifest/oms-order.js';
import { formatSumsLine } from '../../src/manifest/sha256sums.js';
import type { SumsEntry } from '../../src/manifest/sha256sums.js';
import { compareByBytes } from '../../src/model/object-path.js';
import { modelSigningRoot } from '../helpers/model-signing.js';

const newSha256 = (): ReturnType<typeof createHash> => createHash('sha256');
const sha256 = (text: string): string => newSha256().update(text).digest('hex');

// Byte order, UTF-16 order and order by segments all differ among these.
const PATHS = [
  'a',
  'a-b/c',
  'a.b',
  'b/a',
  'b/a-c/x',
  'b/a/x',
  'b/a c',
  'b-/z',
  'b!',
  'data.json',
  'data/one.txt',
  'data/one/two',
  '\u{ffee}half',
  '\u{1f600}grin',
  'd/\u{ffee}',
  'd/\u{1f600}/x',
  'new\nline',
  '.hidden/.git/x',
  'sub/.gitignore',
  'sub/.waybill-not/x',
];
const IGNORED = [
  '.gitignore',
  '.git/config',
  '.github/x',
  '.gitattributes',
  '.waybill/receipt.json',
];

const entriesOf = (paths: readonly string[]): SumsEntry[] =>
  paths
    .filter((path) => path !== 'a' && path !== 'b/a')
    .map((path) => ({ path, sha256: sha256(path) }))
    .sort((left, right) => compareByBytes(left.path, right.path));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-oms-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function writeTree(name: string, paths: readonly string[]): string {
  const root = join(folder, name);
  for (const { path } of entriesOf(paths)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), path);
  }
  return root;
}

describe('digests of a tree', () => {
  it('rule 31: omsDigest is the root that the model_signing tool computes', async () => {
    const root = writeTree('awkward', [...PATHS, ...IGNORED]);
    const { omsDigest } = await digestTree(entriesOf([...PATHS, ...IGNORED]), newSha256);
    expect(omsDigest).toBe(await modelSigningRoot(root));
    const counted = await digestTree(entriesOf(PATHS), newSha256);
    expect(counted.omsDigest).toBe(omsDigest);
  }, 300_000);

  it('rule 31: the order of model signing holds for random trees too', () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    const parts = ['a', 'a-', 'a b', 'ab', 'a.b', '-', '.', 'b', '\u{1f600}', '\u{ffee}', 'a!a'];
    for (let round = 0; round < 200; round += 1) {
      const paths = new Set<string>();
      for (let times = 0; times < 40; times += 1) {
        const depth = 1 + random(3);
        // The last segment is prefixed, so that no path is both a file and a folder.
        const segments = Array.from({ length: depth }, () => parts[random(parts.length)] ?? 'a');
        const last = `f${segments.pop() ?? ''}`;
        const folders = segments.filter((name) => name !== '.');
        paths.add([...folders, last].join('/'));
      }
      const sorted = [...paths].sort(compareByBytes);
      const late = new LateFolders();
      for (const path of sorted) late.pass(path);
      const keyed = sorted.map((path) => path.replaceAll('/', '\0')).sort(compareByBytes);
      for (const known of [undefined, late]) {
        const given: string[] = [];
        const order = new OmsOrder((digest) => given.push(digest), known);
        for (const path of sorted) order.add({ path, sha256: path });
        order.end();
        expect(given).toEqual(keyed.map((key) => key.replaceAll('\0', '/')));
      }
    }
  });

  it('holds no file back for a folder that is not there', () => {
    const paths = ['part-0/a-1', 'part-0/a-2', 'part-1/a-1', 'part-2/b', 'part-2/b-1'];
    const heldWith = (more: readonly string[]): number => {
      const late = new LateFolders();
      for (const path of [...paths, ...more]) late.pass(path);
      let given = 0;
      const order = new OmsOrder(() => (given += 1), late);
      for (const path of paths) order.add({ path, sha256: path });
      return paths.length - given;
    };
    expect(heldWith([])).toBe(1);
    expect(heldWith(['part/a'])).toBe(paths.length);
  });

  it('rule 31: omsDigest is null for a tree in which nothing counts', async () => {
    expect((await digestTree([], newSha256)).omsDigest).toBeNull();
    expect((await digestTree(entriesOf(IGNORED), newSha256)).omsDigest).toBeNull();
  });

  it('treeDigest is the SHA-256 of the bytes of SHA256SUMS', async () => {
    const text = entriesOf(PATHS).map(formatSumsLine).join('');
    expect((await digestTree(entriesOf(PATHS), newSha256)).treeDigest).toBe(sha256(text));
    expect((await digestTree([], newSha256)).treeDigest).toBe(sha256(''));
  });

  it('refuses files that come out of order or twice', () => {
    const digester = new TreeDigester(newSha256);
    digester.add({ path: 'b', sha256: sha256('b') });
    expect(() => digester.add({ path: 'b', sha256: sha256('b') })).toThrow(/out of order/);
    expect(() => digester.add({ path: 'a', sha256: sha256('a') })).toThrow(/out of order/);
  });

  it('a record writer counts files, bytes and levels, and keeps stale files out of the sums', () => {
    const writer = new RecordWriter(newSha256);
    const entry = (path: string, rest: Partial<ManifestEntry>): ManifestEntry => ({
      path,
      sizeBytes: 3,
      sha256: sha256(path),
      level: 'size',
      comparedDigests: [],
      attempts: 1,
      ...rest,
    });
    const lines = [
      writer.add(entry('a', {})),
      writer.add(entry('b', { isStale: true })),
      writer.add(entry('c', { level: 'published', comparedDigests: ['sha256'] })),
    ];
    expect(lines.map((line) => line.sums)).toEqual([
      `${sha256('a')}  a\n`,
      '',
      `${sha256('c')}  c\n`,
    ]);
    expect(writer.result()).toMatchObject({
      files: 2,
      bytes: 6,
      levels: { size: 1, published: 1 },
      staleFiles: 1,
      treeDigest: sha256(lines.map((line) => line.sums).join('')),
      manifestDigest: sha256(lines.map((line) => line.manifest).join('')),
    });
    expect(() => writer.add(entry('b2', {}))).toThrow(/out of order/);
  });
});
