import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TransferEngine } from '../../src/transfer/api.js';
import { NameTable, type Clash } from '../../src/transfer/plan/names.js';
import { PlannedPaths } from '../../src/transfer/plan/planned-paths.js';
import { planEntries, type PlanInput } from '../../src/transfer/plan/planner.js';
import { EXACT_NAMES, probeNames } from '../../src/transfer/plan/probe-names.js';
import { serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';

const pathsOf = (clashes: readonly Clash[]): string[] => clashes.map(({ path }) => path);

describe('names that clash', () => {
  const EVERYTHING = { foldsCase: true, foldsWideCase: true, foldsUnicode: true };

  it('rule 22: two names that the destination folds into one are both refused, whatever it folds', () => {
    const folding = new NameTable(EVERYTHING);
    expect(folding.addFile('Model.bin')).toEqual([]);
    expect(pathsOf(folding.addFile('model.BIN'))).toEqual(['Model.bin', 'model.BIN']);
    expect(folding.addFile('caf\u00e9')).toEqual([]);
    expect(pathsOf(folding.addFile('CAFE\u0301'))).toEqual(['caf\u00e9', 'CAFE\u0301']);
    expect(folding.addFile('\u212aelvin')).toEqual([]);
    expect(pathsOf(folding.addFile('kelvin'))).toEqual(['\u212aelvin', 'kelvin']);
    const ascii = new NameTable({ ...EXACT_NAMES, foldsCase: true });
    expect([ascii.addFile('\u00e9'), ascii.addFile('\u00c9')]).toEqual([[], []]);
    expect(pathsOf(ascii.addFile('A'))).toEqual([]);
    expect(pathsOf(ascii.addFile('a'))).toEqual(['A', 'a']);
    const exact = new NameTable(EXACT_NAMES);
    expect([exact.addFile('a'), exact.addFile('A')]).toEqual([[], []]);
  });

  it('rule 22: of two folders that are one there, nothing is written into either; each file is told once', () => {
    const names = new NameTable(EVERYTHING);
    for (const path of ['Data/a', 'Data/sub/b', 'other/c']) expect(names.addFile(path)).toEqual([]);
    expect(pathsOf(names.addFile('data/d'))).toEqual(['Data/a', 'Data/sub/b', 'data/d']);
    expect(pathsOf(names.addFile('Data/e'))).toEqual(['Data/e']);
    expect(pathsOf(names.addFile('DATA/sub/f'))).toEqual(['DATA/sub/f']);
    expect(pathsOf(names.addFolder('data'))).toEqual(['data']);
    expect([names.addFile('other/g'), names.addFolder('empty')]).toEqual([[], []]);
    expect(names.addFile('data/h')).toEqual([{ path: 'data/h', beside: 'Data' }]);
  });

  it('rule 22: a name that is both file and folder is refused, in either order', () => {
    const names = new NameTable(EXACT_NAMES);
    expect([names.addFile('a/b/c'), names.addFile('a/b/d')]).toEqual([[], []]);
    expect(pathsOf(names.addFile('a/b'))).toEqual(['a/b', 'a/b/c', 'a/b/d']);
    expect(names.addFile('x')).toEqual([]);
    expect(pathsOf(names.addFile('x/y'))).toEqual(['x', 'x/y']);
    expect(pathsOf(names.addFile('x/z'))).toEqual(['x/z']);
    expect(names.addFile('empty')).toEqual([]);
    expect(pathsOf(names.addFolder('empty'))).toEqual(['empty']);
  });
});

it('rule 24: a listing without end ends with a clear error', async () => {
  let listed = 0;
  const endless = {
    async *list() {
      for (;;) yield await Promise.resolve({ path: `f/${(listed += 1)}`, kind: 'file' as const });
    },
  };
  const input = {
    request: requestOf('/endless', '/to', { filters: { include: ['none'], exclude: [] } }),
    resolved: { kind: 'tree' },
    store: endless,
    expectations: { required: new Map(), of: () => undefined },
    namesThere: EXACT_NAMES,
    planned: new PlannedPaths(),
    maxEntries: 1_000,
  } as unknown as PlanInput;
  await expect(planEntries(input, contextOf()).next()).rejects.toMatchObject({
    code: 'WB_LIMIT_EXCEEDED',
    exitCode: 14,
    message: 'the source lists more than 1000 entries: is it endless?',
  });
  expect(listed).toBe(1_001);
});

describe('a list of files that clash', () => {
  let engine: TransferEngine;
  let server: CutServer;
  let root: string;

  beforeAll(async () => {
    root = await scratch('names');
    engine = engineOf();
    server = await startCutServer();
  });
  afterAll(async () => {
    await engine.close();
    await server.stop();
    await rm(root, { recursive: true, force: true });
  });

  it('rule 22: this file system is probed, not guessed, and the probe leaves nothing', async () => {
    const folder = join(root, 'probe');
    await mkdir(folder);
    const found = await probeNames(folder);
    expect(Object.values(found).every((value) => typeof value === 'boolean')).toBe(true);
    expect(await readdir(folder)).toEqual([]);
  });

  it('rule 22: the clashing files fail with exit 11, the others arrive', async () => {
    const body = Buffer.from('x');
    const sum = createHash('sha256').update(body).digest('hex');
    server.serveRest(serveFile(body, { etag: '"1"' }));
    const list = ['good', 'x/y', 'x'].map((path) => `${sum}  ${path}\n`).join('');
    server.serve('/SHA256SUMS', serveFile(Buffer.from(list), { etag: '"l"' }));
    const to = join(root, 'to');
    const result = await pullWith(engine, requestOf(`${server.url}/SHA256SUMS`, to));
    expect(result).toMatchObject({ ok: false, exitCode: 3 });
    expect(result.failures.map(({ path, code }) => `${path} ${code}`).sort()).toEqual([
      'x WB_NAME_COLLISION',
      'x/y WB_NAME_COLLISION',
    ]);
    expect(existsSync(join(to, 'good'))).toBe(true);
    expect(existsSync(join(to, 'x'))).toBe(false);
  });
});
