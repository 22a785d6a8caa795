import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Expectation, PullResult } from '../../src/model/pull.js';
import { parseExpectation } from '../../src/cli/request/expectation.js';
import type { TransferEngine } from '../../src/transfer/api.js';
import { sealTree } from '../../src/transfer/seal-tree.js';
import { sendAll, serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

let engine: TransferEngine;
let server: CutServer;
let root: string;
let count = 0;

beforeAll(async () => {
  root = await scratch('expect');
  engine = engineOf();
  server = await startCutServer();
});
afterAll(async () => {
  await engine.close();
  await server.stop();
  await rm(root, { recursive: true, force: true });
});

const FILES = { 'a.bin': 'a', 'sub/b.bin': 'b', 'new\nline = (1)': 'c', ünïcode: 'd' };

async function treeOf(files: Record<string, string> = FILES): Promise<string> {
  count += 1;
  const folder = join(root, `source-${count}`);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
  return folder;
}

async function listOf(text: string, name = 'list'): Promise<Expectation> {
  count += 1;
  const location = join(root, `${name}-${count}`);
  await writeFile(location, text);
  return { kind: 'list', location };
}

const pull = (
  uri: string,
  expected: Expectation,
  changes: Parameters<typeof requestOf>[2] = {},
): Promise<PullResult> => {
  count += 1;
  const to = join(root, `to-${count}`);
  return pullWith(engine, requestOf(uri, to, { expect: expected, ...changes }));
};

const run = (cwd: string, command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8' });

describe('--expect with a list that a tool has written', () => {
  const names = Object.keys(FILES);
  it.each<[string, (folder: string) => string]>([
    ['sha256sum', (folder) => run(folder, 'sha256sum', ...names)],
    ['sha256sum --binary', (folder) => run(folder, 'sha256sum', '-b', ...names)],
    ['sha256sum --tag', (folder) => run(folder, 'sha256sum', '--tag', ...names)],
    [
      'sha256sum over find, with ./ before each name',
      (folder) => run(folder, 'find', '.', '-type', 'f', '-exec', 'sha256sum', '{}', '+'),
    ],
    ['the same with CRLF', (folder) => run(folder, 'sha256sum', ...names).replaceAll('\n', '\r\n')],
    [
      'a comment and a signature around it',
      (folder) => `# release 1\n\n${run(folder, 'sha256sum', ...names)}-----BEGIN PGP\n`,
    ],
  ])('%s: every file reaches level digest', async (_tool, write) => {
    const folder = await treeOf();
    const result = await pull(folder, await listOf(write(folder)), { requireLevel: 'digest' });
    expect(result).toMatchObject({ ok: true, levels: { digest: names.length } });
  });

  it('openssl dgst', async () => {
    const folder = await treeOf({ 'a.bin': 'a', 'b c.bin': 'b' });
    const list = await listOf(`SHA2-256(a.bin)= ${sha256('a')}\nSHA256(b c.bin)= ${sha256('b')}\n`);
    expect((await pull(folder, list)).levels).toEqual({ digest: 2 });
  });

  it('a manifest of waybill seal, whatever the file is called, and the folder that has it', async () => {
    const folder = await treeOf();
    await sealTree(folder, { waybill: 'test' });
    const manifest = await readFile(join(folder, '.waybill/manifest.ndjson'), 'utf8');
    const other = await treeOf();
    expect((await pull(other, await listOf(manifest))).levels).toEqual({ digest: 4 });
    const byFolder = parseExpectation(folder, '/');
    expect((await pull(other, byFolder)).levels).toEqual({ digest: 4 });
  });

  it('a list behind HTTP', async () => {
    const folder = await treeOf({ 'a.bin': 'a' });
    server.serve('/SHA256SUMS', sendAll(`${sha256('a')}  a.bin\n`));
    const list = { kind: 'list' as const, location: `${server.url}/SHA256SUMS` };
    expect((await pull(folder, list)).levels).toEqual({ digest: 1 });
    const gone = { kind: 'list' as const, location: `${server.url}/nothing` };
    await expect(pull(folder, gone)).rejects.toMatchObject({ code: 'WB_NOT_FOUND', exitCode: 4 });
  });

  it.each([
    ['a receipt', '{\n  "v": 1\n}\n', /receipt.*manifest\.ndjson/],
    ['a torn manifest', '{"path":"a.bin","sizeBytes":1', /torn|JSON/],
    ['a web page', '<html>\nsign in\n</html>\n', /no line of it/],
    ['nothing', '', /names no file/],
    ['two digests for one name', `${sha256('a')}  x\n${sha256('b')}  x\n`, /two different digests/],
  ])('%s is a usage error that says what it is', async (_what, text, says) => {
    const folder = await treeOf();
    await expect(pull(folder, await listOf(text))).rejects.toMatchObject({
      code: 'WB_USAGE',
      exitCode: 2,
      message: expect.stringMatching(says),
    });
  });
});

describe('rule 25: --expect with a list for a tree', () => {
  it('names that the source lacks fail, names that only the source has do not', async () => {
    const folder = await treeOf({ 'a.bin': 'a', 'extra.bin': 'x' });
    const list = await listOf(`${sha256('a')}  a.bin\n${sha256('b')}  missing.bin\n`);
    const result = await pull(folder, list);
    expect(result).toMatchObject({ ok: false, exitCode: 3, filesFailed: 1 });
    expect(result.levels).toEqual({ digest: 1, size: 1 });
    expect(result.failures[0]).toMatchObject({ path: 'missing.bin', code: 'WB_MISSING_FILE' });
    const closed = await pull(folder, await listOf(`${sha256('a')}  a.bin\n`), {
      requireLevel: 'digest',
    });
    expect(closed.failures[0]).toMatchObject({ path: 'extra.bin', code: 'WB_LEVEL_TOO_LOW' });
  });

  it('names that the filters leave out are not missed, nor are stale ones of a manifest', async () => {
    const folder = await treeOf({ 'a.bin': 'a', 'b.txt': 'b' });
    const list = await listOf(`${sha256('a')}  a.bin\n${sha256('b')}  b.txt\n`);
    const filters = { include: ['*.bin'], exclude: [] };
    expect(await pull(folder, list, { filters })).toMatchObject({ ok: true, files: 1 });
    const line = { sizeBytes: 1, level: 'size', comparedDigests: [], attempts: 1 };
    const entries = [
      { path: 'a.bin', sha256: sha256('a'), ...line },
      { path: 'gone.bin', sha256: sha256('g'), ...line, isStale: true },
    ];
    const manifest = await listOf(entries.map((one) => `${JSON.stringify(one)}\n`).join(''));
    expect(await pull(folder, manifest)).toMatchObject({ ok: true });
  });

  it('a file that differs is exit 6 with both digests, also where a SHA256SUMS at the source agrees with it', async () => {
    const folder = await treeOf({ 'a.bin': 'a', SHA256SUMS: `${sha256('a')}  a.bin\n` });
    const result = await pull(folder, await listOf(`${sha256('other')}  a.bin\n`), {
      filters: { include: ['a.bin'], exclude: [] },
    });
    expect(result).toMatchObject({ ok: false, exitCode: 6, code: 'WB_DIGEST_MISMATCH' });
    for (const digest of [sha256('a'), sha256('other')]) {
      expect(result.failures[0]?.message).toContain(digest);
    }
  });

  it('a digest is the tree’s own: level digest where the source is sealed with it, else compared at the end', async () => {
    const folder = await treeOf();
    const { treeDigest } = await pull(folder, await listOf(`${sha256('a')}  a.bin\n`));
    const given = { kind: 'digest' as const, sha256: treeDigest ?? '' };
    expect(await pull(folder, given)).toMatchObject({ ok: true, treeDigest });
    await sealTree(folder, { waybill: 'test' });
    const sealed = await pull(folder, given, { requireLevel: 'digest' });
    expect(sealed).toMatchObject({ ok: true, treeDigest, levels: { digest: 4 } });
    const part = { filters: { include: ['*.bin'], exclude: [] } };
    expect(await pull(folder, given, part)).toMatchObject({ ok: true, levels: { digest: 2 } });
    const wrong = await pull(folder, { kind: 'digest', sha256: sha256('another tree') });
    expect(wrong).toMatchObject({ ok: false, exitCode: 6, code: 'WB_DIGEST_MISMATCH' });
    expect(wrong.message).toContain(sha256('another tree'));
    expect(wrong.message).toContain(treeDigest);
  });
});

describe('--expect with a list for a single file', () => {
  const digest = sha256('weights');
  it.each([
    ['its name at the source', `${digest}  model.bin\n`],
    ['its name among others, which are not missed', `${sha256('x')}  x\n${digest}  model.bin\n`],
    [
      'its name behind the folders of the source',
      `${digest}  v1/model.bin\n${'0'.repeat(64)}  v2/model.bin\n`,
    ],
    ['its name behind folders of the list alone', `${digest} *release/model.bin\n`],
    ['a digest without a name', `${digest.toUpperCase()}\n`],
  ])('finds it by %s', async (_how, text) => {
    server.serve('/v1/model.bin', serveFile(Buffer.from('weights')));
    const result = await pull(`${server.url}/v1/model.bin`, await listOf(text));
    expect(result).toMatchObject({ ok: true, levels: { digest: 1 } });
  });

  it.each([
    ['does not name it', `${digest}  other.bin\n`, /does not name "model\.bin"/],
    ['has two of that name', `${digest}  x/model.bin\n${sha256('y')}  y/model.bin\n`, /several/],
  ])('a list that %s is a usage error, never a weaker level', async (_what, text, says) => {
    server.serve('/v1/model.bin', serveFile(Buffer.from('weights')));
    const pulling = pull(`${server.url}/v1/model.bin`, await listOf(text));
    await expect(pulling).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(says),
    });
  });

  it('a digest without a name is none of a tree', async () => {
    const folder = await treeOf();
    await expect(pull(folder, await listOf(`${digest}\n`))).rejects.toMatchObject({ exitCode: 2 });
  });
});

describe('what --expect takes', () => {
  it('a digest in either case, with or without sha256:', () => {
    const digest = sha256('x');
    for (const text of [`sha256:${digest}`, `SHA256:${digest.toUpperCase()}`, digest]) {
      expect(parseExpectation(text, root)).toEqual({ kind: 'digest', sha256: digest });
    }
  });

  it('a path relative to where the command runs, and a URI as it is', async () => {
    await writeFile(join(root, 'sums.txt'), '');
    const location = join(root, 'sums.txt');
    expect(parseExpectation('sums.txt', root)).toEqual({ kind: 'list', location });
    const uri = 's3://models/SHA256SUMS';
    expect(parseExpectation(uri, root)).toEqual({ kind: 'list', location: uri });
  });

  it.each([
    ['sha256:abc', /64 hexadecimal digits/],
    ['-', /stdin; write it to a file/],
    ['nowhere.txt', /no such file/],
    ['https://me:secret@host/SHA256SUMS', /secret/],
    ['.', /folder without .*waybill seal/],
    ['fifo', /pipe; write the list to a file/],
  ])('%s is refused with what to do', (text, says) => {
    const fifo = join(root, 'fifo');
    if (!existsSync(fifo)) execFileSync('mkfifo', [fifo]);
    expect(() => parseExpectation(text, root)).toThrow(says);
  });
});
