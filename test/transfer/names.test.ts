import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { TransferEngine } from '../../src/transfer/api.js';
import { NameTable, probeFolding } from '../../src/transfer/plan/names.js';
import { planEntries, type PlanInput } from '../../src/transfer/plan/planner.js';
import { serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';

describe('names that clash', () => {
  it('rule 22: two names that the destination folds into one are both refused', () => {
    const folding = new NameTable({ foldsCase: true, foldsUnicode: true });
    expect(folding.addFile('Model.bin')).toEqual([]);
    expect(folding.addFile('model.BIN')).toEqual(['Model.bin', 'model.BIN']);
    expect(folding.addFile('caf\u00e9')).toEqual([]);
    expect(folding.addFile('cafe\u0301')).toEqual(['caf\u00e9', 'cafe\u0301']);
    const exact = new NameTable({ foldsCase: false, foldsUnicode: false });
    expect([exact.addFile('a'), exact.addFile('A')]).toEqual([[], []]);
  });

  it('rule 22: a name that is both file and folder is refused, in either order', () => {
    const names = new NameTable({ foldsCase: false, foldsUnicode: false });
    expect(names.addFile('a/b/c')).toEqual([]);
    expect(names.addFile('a/b')).toEqual(['a/b/c', 'a/b']);
    expect(names.addFile('x')).toEqual([]);
    expect(names.addFile('x/y')).toEqual(['x', 'x/y']);
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
    folding: { foldsCase: false, foldsUnicode: false },
    planned: new Set(),
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
    const found = await probeFolding(folder);
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
