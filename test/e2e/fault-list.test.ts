/**
 * The failure list of aws-c-s3's mock server, and what HTTP adds to it, each at the command line with a real service: every
 * pull ends right, or fails with its reason, its exit code and nothing under a final name.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { serveFile, startCutServer } from '../helpers/cut-server.js';
import type { CutReply, CutRequest, CutServer } from '../helpers/cut-server.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';
import { add, CASES, ETAG, LARGE, SMALL, type FaultCase } from './fault-cases.js';
import { namesIn } from './refusals.js';

const LONG_MS = 600_000;
const AT_ONCE = 2;

type Script = (request: CutRequest) => CutReply;

let bed: WaybillBed;
let server: CutServer;
const runs = new Map<string, Promise<WaybillRun>>();
const folderOf = (title: string): string => join(bed.dir, title.replace(/\W+/gu, '-'));
const pathOf = ({ title, s3 }: FaultCase): string =>
  `${s3 ? '/bucket' : ''}/${title.replace(/\W+/gu, '-')}/model.bin`;

/** The file as it would be, with the fault of the case put over its GETs. */
function scriptOf(one: FaultCase): Script {
  const etag = ETAG;
  const good = serveFile(one.isLarge ? LARGE : SMALL, { etag });
  let gets = 0;
  return (request) => {
    const reply = add(good(request), one.s3 ? { 'x-amz-request-id': 'R1' } : {});
    if (request.method === 'HEAD') return reply;
    gets += 1;
    return one.fault(gets, reply, request) ?? reply;
  };
}

async function pull(one: FaultCase): Promise<WaybillRun> {
  const folder = folderOf(one.title);
  mkdirSync(folder);
  writeFileSync(join(folder, 'mine.txt'), 'not yours');
  server.serve(pathOf(one), scriptOf(one));
  const source = one.s3 ? `s3:/${pathOf(one)}` : `${server.url}${pathOf(one)}`;
  const env = {
    AWS_ENDPOINT_URL: server.url,
    AWS_ACCESS_KEY_ID: 'key',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_REGION: 'us-east-1',
    WAYBILL_STALL_TIMEOUT: '3s',
  };
  return bed.run(['pull', source, `${folder}/`, '--json', ...(one.args ?? [])], { env });
}

beforeAll(async () => {
  bed = openWaybill();
  server = await startCutServer();
  await bed.run(['up']);
  const waiting = [...CASES];
  const lane = async (before: Promise<unknown>): Promise<void> => {
    await before;
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const run = pull(one);
      runs.set(one.title, run);
      await run.catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, () => lane(Promise.resolve())));
}, LONG_MS);

afterAll(async () => {
  await server.stop();
  await bed.close();
}, LONG_MS);

describe('rules 11, 12 and 17: the failure list', () => {
  it.each(CASES)('$title: exit $exitCode', async (one) => {
    const run = await runs.get(one.title);
    const { code, message, failures } = run?.result ?? {};
    const told = (Array.isArray(failures) ? failures : []) as { code: string; message: string }[];
    expect({ exitCode: run?.exitCode, message, result: run?.result }).toMatchObject({
      exitCode: one.exitCode,
      message: one.exitCode === 0 ? null : expect.any(String),
      result: { type: 'result', ok: one.exitCode === 0, exitCode: one.exitCode },
    });
    const folder = folderOf(one.title);
    expect(readFileSync(join(folder, 'mine.txt'), 'utf8')).toBe('not yours');
    if (one.exitCode === 0) {
      expect(readFileSync(join(folder, 'model.bin')).equals(one.isLarge ? LARGE : SMALL)).toBe(
        true,
      );
    } else {
      expect(namesIn(folder)).toEqual(['mine.txt']);
      expect([code, ...told.map((failure) => failure.code)]).toContain(one.code);
      expect([message, ...told.map((failure) => failure.message)].join('\n')).toMatch(
        one.says ?? /./u,
      );
    }
    const gets = server.requestsOf(pathOf(one)).filter(({ method }) => method === 'GET').length;
    const [least, most] = one.gets ?? [1, Number.MAX_SAFE_INTEGER];
    expect(gets).toBeGreaterThanOrEqual(least);
    expect(gets).toBeLessThanOrEqual(most);
  });
});

it(
  'a kept connection that the server closes before it answers costs nothing but another request',
  async () => {
    const seen = new Map<Socket, number>();
    const http = createServer((request, response) => {
      const before = seen.get(request.socket) ?? 0;
      seen.set(request.socket, before + 1);
      if (before > 0) return void request.socket.destroy();
      const headers = { 'content-length': SMALL.length, etag: ETAG, 'keep-alive': 'timeout=60' };
      response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : SMALL);
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const { port } = http.address() as AddressInfo;
    const folder = join(bed.dir, 'kept-connection');
    const run = await bed.run([
      'pull',
      `http://127.0.0.1:${port}/model.bin`,
      `${folder}/`,
      '--json',
    ]);
    for (const socket of seen.keys()) socket.destroy();
    await new Promise<void>((resolve) => http.close(() => resolve()));
    expect({ exitCode: run.exitCode, result: run.result }).toMatchObject({ exitCode: 0 });
    expect(readFileSync(join(folder, 'model.bin')).equals(SMALL)).toBe(true);
  },
  LONG_MS,
);
