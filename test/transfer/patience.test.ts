/** How long a source may take for its first byte: as long as its store waits, and known to whoever watches (rule 27). */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { CallContext, TransferEngine } from '../../src/transfer/api.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';
import { until } from '../helpers/until.js';

const BYTES = Buffer.from('weights');
const LONG_MS = 60_000;

/** A server that holds back what is asked for while bytes are fetched. */
let server: Server;
let context: CallContext;
let isHolding = false;
const held: (() => void)[] = [];
const release = (): void => {
  for (const go of held.splice(0)) go();
};
let dir: string;
let engine: TransferEngine;

beforeAll(async () => {
  const answer = (response: ServerResponse, isHead: boolean): void => {
    response.writeHead(200, { 'content-length': BYTES.length, etag: '"one"' });
    response.end(isHead ? undefined : BYTES);
  };
  server = createServer((request, response) => {
    const go = (): void => answer(response, request.method === 'HEAD');
    if (isHolding && context.progress.phase === 'fetching') held.push(go);
    else go();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  dir = await scratch('patience');
  engine = engineOf();
});
afterEach(release);
afterAll(async () => {
  await engine.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

it.each([
  [{}, { answerMs: 120_000, stallMs: 60_000 }],
  [{ WAYBILL_STALL_TIMEOUT: '5m' }, { answerMs: 300_000, stallMs: 300_000 }],
])(
  'rule 27: with %j an answer is waited for, and says so, until it is there',
  async (settings, patience) => {
    context = contextOf();
    isHolding = true;
    const { port } = server.address() as AddressInfo;
    const to = join(dir, `to-${patience.stallMs}`);
    const request = requestOf(`http://127.0.0.1:${port}/w.bin`, to);
    const source = { ...request.source, settings };
    const pulling = pullWith(engine, { ...request, source }, undefined, context);
    await until('it waits', () => context.progress.awaitsSource === true && held.length > 0);
    expect(context.progress).toMatchObject({ phase: 'fetching', patience });
    isHolding = false;
    release();
    expect(await pulling).toMatchObject({ ok: true, files: 1 });
    expect(context.progress.awaitsSource).toBe(false);
  },
  LONG_MS,
);

it('rule 27: nothing of a folder of this host is waited for so long', async () => {
  context = contextOf();
  await writeFile(join(dir, 'w.bin'), BYTES);
  const request = requestOf(`file://${join(dir, 'w.bin')}`, join(dir, 'from-here'));
  expect(await pullWith(engine, request, undefined, context)).toMatchObject({ ok: true });
  expect(context.progress.patience).toBeUndefined();
});
