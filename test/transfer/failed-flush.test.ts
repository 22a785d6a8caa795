/** Flushes that fail, on a file system that fails on command and then does what Linux does: it forgets what was dirty. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { PullRequest, PullResult } from '../../src/model/pull.js';
import { writeFileDurably } from '../../src/transfer/durable-file.js';
import { verifyTree } from '../../src/transfer/verify.js';
import { serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';
import { startFaultFs, type FaultFs } from '../helpers/faultfs.js';
import { digestsOfTree } from '../helpers/tree.js';

const MiB = 1024 * 1024;
const CODES = {
  EIO: 'WB_DESTINATION_FAILED',
  ENOSPC: 'WB_NO_SPACE',
  EDQUOT: 'WB_NO_SPACE',
  ESTALE: 'WB_DESTINATION_FAILED',
} as const;
const ERRNOS = Object.keys(CODES) as (keyof typeof CODES)[];

describe('a flush that failed', () => {
  const large = randomBytes(33 * MiB);
  let disk: FaultFs;
  let server: CutServer;
  let source: string;
  let to: string;

  beforeAll(async () => {
    disk = await startFaultFs();
    server = await startCutServer();
    server.serve('/model.bin', serveFile(large, { etag: '"v1"' }));
    source = await scratch('flush');
    for (const name of ['a', 'b/c', 'b/d']) {
      mkdirSync(join(source, name, '..'), { recursive: true });
      writeFileSync(join(source, name), randomBytes(9_000));
    }
  });
  beforeEach(async () => {
    await disk.reset();
    to = join(disk.path, 'churn');
  });
  afterAll(async () => {
    await disk.stop();
    await server.stop();
  });

  const pull = async (request: PullRequest): Promise<PullResult> => {
    const engine = engineOf();
    try {
      return await pullWith(engine, request, 'run');
    } finally {
      await engine.close();
    }
  };

  /** A pull that said it was done is still there after the power was cut. */
  async function expectDurable(): Promise<void> {
    await disk.cut('strict', 1);
    expect(await digestsOfTree(to)).toEqual(await digestsOfTree(source));
    expect(await verifyTree(to)).toMatchObject({ ok: true });
  }

  it.each(ERRNOS)(
    'rule 14: a small file whose flush failed with %s is dropped and fetched again, not flushed again',
    async (errno) => {
      await disk.fault({ kind: 'fsync', path: '/partial/', errno, times: 1 });
      const request = requestOf(source, to);
      await expect(pull(request)).rejects.toMatchObject({
        code: CODES[errno],
        scope: 'destination',
        message: expect.stringMatching(new RegExp(`^cannot flush .*\\(${errno}\\)$`)),
      });
      const { failed } = await disk.status();
      expect(failed).toHaveLength(1);
      expect(existsSync(join(disk.path, (failed[0] ?? '').replace('fsync ', '')))).toBe(false);
      expect(await pull(request)).toMatchObject({ ok: true, files: 3 });
      await expectDurable();
    },
  );

  it.each(ERRNOS)(
    'rule 14: a close that fails with %s, as a network file system tells of lost bytes, counts as a flush that failed',
    async (errno) => {
      await disk.fault({ kind: 'flush', path: '/partial/', errno, times: 1 });
      await expect(pull(requestOf(source, to))).rejects.toMatchObject({ code: CODES[errno] });
      expect(await pull(requestOf(source, to))).toMatchObject({ ok: true });
      await expectDurable();
    },
  );

  it.each(ERRNOS)(
    'rule 14: of a large file every part comes again after a flush that failed with %s, although all were recorded',
    async (errno) => {
      const file = join(disk.path, 'model.bin');
      const request = requestOf(`${server.url}/model.bin`, file);
      await disk.fault({ kind: 'fsync', path: '/partial/', errno, times: 1 });
      await expect(pull(request)).rejects.toMatchObject({ code: CODES[errno] });
      const before = server.bytesServed('/model.bin');
      expect(await pull(request)).toMatchObject({ ok: true, bytesFetched: large.length });
      expect(server.bytesServed('/model.bin') - before).toBeGreaterThanOrEqual(large.length);
      await disk.cut('strict', 1);
      expect(sha256(readFileSync(file))).toBe(sha256(large));
    },
  );

  it('rule 14: files whose folder could not be flushed are dropped and come again', async () => {
    await disk.fault({ kind: 'fsync', path: '^churn/b$', errno: 'EIO', times: 1 });
    await expect(pull(requestOf(source, to))).rejects.toMatchObject({
      code: 'WB_DESTINATION_FAILED',
    });
    expect(await pull(requestOf(source, to))).toMatchObject({ ok: true });
    await expectDurable();
  });

  it('rule 14: a journal that could not be flushed is not written to again', async () => {
    await disk.fault({ kind: 'fsync', path: '/journal/.*[.]journal$', errno: 'EIO', times: 1 });
    const engine = engineOf();
    await expect(pullWith(engine, requestOf(source, to), 'run')).rejects.toMatchObject({
      code: 'WB_DESTINATION_FAILED',
    });
    expect(await pullWith(engine, requestOf(source, to), 'run')).toMatchObject({ ok: true });
    await engine.close();
    await expectDurable();
  });

  it.each(['SHA256SUMS', 'manifest.ndjson', 'receipt.json'])(
    'rules 14 and 20: %s that could not be flushed is written anew, and no receipt stands before',
    async (name) => {
      await disk.fault({ kind: 'fsync', path: `[.]${name}[.].*[.]tmp$`, errno: 'EIO', times: 1 });
      await expect(pull(requestOf(source, to))).rejects.toMatchObject({
        code: 'WB_DESTINATION_FAILED',
      });
      const left = readdirSync(join(to, '.waybill'));
      expect(left).not.toContain('receipt.json');
      expect(left.filter((found) => found.endsWith('.tmp'))).toEqual([]);
      expect(await pull(requestOf(source, to))).toMatchObject({ ok: true, files: 3 });
      await expectDurable();
    },
  );

  it('rule 14: a file of the record whose close fails leaves the one before, and says why', async () => {
    const path = join(disk.path, 'record.json');
    await writeFileDurably(path, 'old');
    await disk.fault({ kind: 'flush', path: 'record', errno: 'EDQUOT', times: 1 });
    await expect(writeFileDurably(path, 'new')).rejects.toMatchObject({
      code: 'WB_NO_SPACE',
      message: expect.stringContaining('the quota is used up (EDQUOT)'),
    });
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(disk.path)).toEqual(['record.json']);
  });
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
