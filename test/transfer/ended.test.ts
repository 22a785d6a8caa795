/** Pulls that end before they are through: what they leave, what it is worth, and how the next one goes on. */
import { describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeReceipt, type Receipt } from '../../src/manifest/index.js';
import type { ErrorCode } from '../../src/model/errors.js';
import type { PullEnd, PullResult } from '../../src/model/pull.js';
import { resultOf } from '../../src/transfer/receipt-result.js';
import { verifyTree } from '../../src/transfer/verify.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';

const GAVE_UP: PullEnd = { code: 'WB_GAVE_UP', message: 'gave up after 15 min without progress' };

/** A source of three files, and a destination into which the first unit of a pull came before it ended. */
async function endedPull(
  end: PullEnd,
  units = 1,
): Promise<{ source: string; to: string; result: PullResult | undefined }> {
  const base = await scratch('ended');
  const [source, to] = [join(base, 'source'), join(base, 'to')];
  await mkdir(source);
  for (const name of ['a', 'b', 'c']) writeFileSync(join(source, name), `content of ${name}`);
  const engine = engineOf();
  const context = contextOf();
  const request = requestOf(`file://${source}`, to);
  const resolved = await engine.resolve({ request }, context);
  const { ref } = await engine.claim(
    { pullId: 'pull', runId: 'ended', request, resolved },
    context,
  );
  await engine.planPage({ ref, page: 0 }, context);
  for (let unit = 0; unit < units; unit += 1)
    await engine.fetchUnit({ ref, page: 0, unit }, context);
  const result = await engine.release({ ref, end });
  expect(await engine.release({ ref, end }).catch(() => undefined)).toEqual(result);
  await engine.close();
  return { source, to, result };
}

describe('a pull that ends before it is through', () => {
  it('leaves receipt.partial.json with the lists of what is in place, and never receipt.json', async () => {
    const { to, result } = await endedPull(GAVE_UP);
    expect(result).toMatchObject({
      ok: false,
      exitCode: 12,
      code: 'WB_GAVE_UP',
      message: GAVE_UP.message,
      files: 1,
      filesFailed: 0,
    });
    const names = readdirSync(join(to, '.waybill'));
    expect(names).toEqual(
      expect.arrayContaining(['receipt.partial.json', 'SHA256SUMS', 'manifest.ndjson', 'journal']),
    );
    expect(names).not.toContain('receipt.json');
    expect(names).not.toContain('owner.json');
    const text = readFileSync(join(to, '.waybill', 'receipt.partial.json'), 'utf8');
    expect(decodeReceipt(text, 'it')).toMatchObject({
      ended: GAVE_UP,
      counts: { files: 1, filesFetched: 1, filesLeft: 2 },
    });
  });

  it('rule 33: what is in place can be checked with sha256sum alone, and verify says that it is partial', async () => {
    const { to } = await endedPull(GAVE_UP);
    const said = execFileSync('sha256sum', ['--strict', '-c', '.waybill/SHA256SUMS'], { cwd: to });
    expect(said.toString()).toBe('a: OK\n');
    const report = await verifyTree(to);
    expect(report).toMatchObject({ ok: false, state: 'partial', code: 'WB_PARTIAL', files: 1 });
    expect(report.bytesHashed).toBeGreaterThan(0);
    writeFileSync(join(to, 'a'), 'content of X');
    expect(await verifyTree(to)).toMatchObject({ code: 'WB_LOCAL_DAMAGE', counts: { changed: 1 } });
  });

  it('goes on with the same pull, keeps what is there, and is complete then', async () => {
    const { source, to } = await endedPull({ code: 'WB_CANCELLED', message: 'it was cancelled' });
    const engine = engineOf();
    const result = await pullWith(engine, requestOf(`file://${source}`, to));
    await engine.close();
    expect(result).toMatchObject({ ok: true, files: 3, filesKept: 1, filesFetched: 2 });
    expect(existsSync(join(to, '.waybill', 'receipt.partial.json'))).toBe(false);
    expect(await verifyTree(to)).toMatchObject({ ok: true, state: 'complete', files: 3 });
  });

  it('leaves no record where nothing is in place', async () => {
    const { to, result } = await endedPull(GAVE_UP, 0);
    expect(result).toBeUndefined();
    expect(existsSync(join(to, '.waybill', 'receipt.partial.json'))).toBe(false);
  });

  it('rule 19: an update that ends early forgets nothing of what Waybill wrote before', async () => {
    const base = await scratch('ended-update');
    const [source, to] = [join(base, 'source'), join(base, 'to')];
    await mkdir(source);
    for (const name of ['a', 'b']) writeFileSync(join(source, name), `first ${name}`);
    const engine = engineOf();
    const request = requestOf(`file://${source}`, to);
    expect((await pullWith(engine, request)).ok).toBe(true);
    for (const name of ['a', 'b']) writeFileSync(join(source, name), `second, longer ${name}`);
    const context = contextOf();
    const resolved = await engine.resolve({ request }, context);
    const claimed = { pullId: 'pull', runId: 'update', request, resolved };
    const { ref } = await engine.claim(claimed, context);
    await engine.planPage({ ref, page: 0 }, context);
    await engine.fetchUnit({ ref, page: 0, unit: 0 }, context);
    expect(await engine.release({ ref, end: GAVE_UP })).toMatchObject({ exitCode: 12 });
    // One file is of the new version and one of the old: neither is damage.
    expect(await verifyTree(to)).toMatchObject({ code: 'WB_PARTIAL', counts: { extra: 0 } });
    expect(await pullWith(engine, request)).toMatchObject({ ok: true, files: 2 });
    await engine.close();
    expect(readFileSync(join(to, 'b'), 'utf8')).toBe('second, longer b');
  });
});

describe('what decides the exit code', () => {
  const receiptOf = (published: number, codes: readonly ErrorCode[], ended?: ErrorCode): Receipt =>
    ({
      counts: { files: published, filesFetched: published, filesFailed: codes.length },
      bytes: 0,
      destination: '/to',
      levels: {},
      stale: { count: 0, first: [] },
      skipped: { records: { count: 0, first: [] }, special: { count: 0, first: [] } },
      failures: codes.map((code) => ({ path: 'f', code, message: code })),
      warnings: [],
      ...(ended === undefined ? {} : { ended: { code: ended, message: ended } }),
    }) as unknown as Receipt;

  it.each([
    ['all is well', 3, [], undefined, 0],
    ['something in place, something failed', 3, ['WB_NOT_FOUND'], undefined, 3],
    ['nothing in place: the most serious', 0, ['WB_NOT_FOUND', 'WB_DIGEST_MISMATCH'], undefined, 6],
    [
      'nothing in place, changed before unsafe',
      0,
      ['WB_UNSAFE_PATH', 'WB_SOURCE_CHANGED'],
      undefined,
      8,
    ],
    ['gave up, something in place', 3, [], 'WB_GAVE_UP', 12],
    ['gave up, something in place, something failed', 3, ['WB_NOT_FOUND'], 'WB_GAVE_UP', 12],
    ['the disk was full, something in place', 3, [], 'WB_NO_SPACE', 7],
    ['the sign-in expired, something in place', 3, [], 'WB_UNAUTHENTICATED', 5],
    ['cancelled, something in place, something failed', 3, ['WB_NOT_FOUND'], 'WB_CANCELLED', 13],
    ['somebody claimed the destination', 3, [], 'WB_DESTINATION_OWNED', 9],
    ['the share is gone', 3, [], 'WB_DESTINATION_NOT_HERE', 10],
  ] as const)('%s', (_what, published, codes, ended, exitCode) => {
    const result = resultOf(receiptOf(published, codes, ended));
    expect(result.exitCode).toBe(exitCode);
    expect(result.code).toBe(ended ?? result.code);
  });
});
