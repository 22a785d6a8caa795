/** How many connections a pull finds a source to be worth: a real nginx that bears four, a long link, a source that is busy for a while. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { startToxiproxy, type Toxiproxy } from '../helpers/toxiproxy.js';
import { openWaybill, type RunningWaybill, type WaybillBed } from '../helpers/waybill.js';

const LONG_MS = 300_000;
const FILES = 1_000;

interface Shown {
  readonly connections: number;
  readonly decisions: readonly { readonly time: string; readonly text: string }[];
}

let bed: WaybillBed;
let far: Toxiproxy;
let nginx: Nginx;
/** The port behind which nginx is 100 ms away. */
let farPort: number;
let server: CutServer;
let count = 0;
let running: { isOver: boolean; readonly pulling: RunningWaybill } | undefined;

beforeAll(async () => {
  bed = openWaybill();
  const root = join(bed.dir, 'served');
  mkdirSync(root);
  for (let index = 0; index < FILES; index += 1) {
    writeFileSync(join(root, `f${index}.bin`), `${index} `.repeat(1_000));
  }
  [nginx, far, server] = await Promise.all([
    startNginx({ root }),
    startToxiproxy(),
    startCutServer(),
  ]);
  const link = await far.before(nginx.port);
  await link.add('latency', { latency: 100 });
  farPort = link.port;
  expect((await bed.run(['up', '--json'])).exitCode).toBe(0);
}, LONG_MS);

afterAll(async () => {
  await Promise.all([nginx.stop(), far.stop(), server.stop()]);
  await bed.close();
}, LONG_MS);

afterEach(async () => {
  if (running?.isOver === false) {
    await bed.run(['cancel']);
    await running.pulling.done;
  }
}, LONG_MS);

/** Starts a pull; answers where it lands. */
function pull(
  source: string,
  ...flags: readonly string[]
): { to: string; pulling: RunningWaybill } {
  const to = join(bed.dir, `pull-${(count += 1)}`);
  const pulling = bed.start(['pull', source, to, ...flags]);
  const started = { isOver: false, pulling };
  running = started;
  void pulling.done.then(() => (started.isOver = true));
  return { to, pulling };
}

/** What `status` shows until it is as wanted, or until the pull is over; the last look, if any. */
async function shownUntil(to: string, isSo: (shown: Shown) => boolean): Promise<Shown | undefined> {
  let last: Shown | undefined;
  while (running?.isOver === false) {
    const { result } = await bed.run(['status', to, '--json']);
    const [shown] = (result['concurrency'] ?? []) as readonly Shown[];
    last = shown ?? last;
    if (shown !== undefined && isSo(shown)) return shown;
    await sleep(50);
  }
  return last;
}

/** A listing of so many files, each 50 ms away, that are refused beyond what is allowed at once. */
function serveMany(files: number): { path: string; allow(atOnce: number): void; most(): number } {
  const path = `/${(count += 1)}/`;
  const names = Array.from({ length: files }, (_, index) => `f${index}.bin`);
  const links = names.map((name) => `<a href="${name}">${name}</a>`).join('\n');
  server.serve(path, {
    headers: { 'Content-Type': 'text/html' },
    body: `<html><title>Index of ${path}</title><body><h1>Index of ${path}</h1><pre>${links}</pre></body></html>`,
  });
  let allowed = Number.MAX_SAFE_INTEGER;
  let most = 0;
  let open = 0;
  for (const name of names) {
    const whole = serveFile(Buffer.from(name), { etag: '"v"' });
    server.serve(`${path}${name}`, (request) => {
      open += 1;
      setTimeout(() => (open -= 1), 50);
      most = Math.max(most, open);
      return open > allowed ? { status: 429 } : { ...whole(request), delayMs: 50 };
    });
  }
  return { path, allow: (atOnce) => void (allowed = atOnce), most: () => most };
}

describe('the connections of a pull', () => {
  it(
    'settle where a server refuses more than four, with few refusals, and the pull ends well',
    async () => {
      const strict = await startNginx({
        root: bed.dir,
        autoindex: false,
        http: 'limit_conn_zone $binary_remote_addr zone=all:1m;',
        location: `limit_conn all 4; proxy_pass http://127.0.0.1:${farPort};`,
      });
      try {
        const { to, pulling } = pull(`${strict.url}/`);
        const shown = await shownUntil(to, ({ connections, decisions }) => {
          return connections <= 4 && decisions.some(({ text }) => text.includes('the source'));
        });
        expect(shown?.connections).toBeLessThanOrEqual(4);
        expect(await pulling.done).toMatchObject({ exitCode: 0 });
        expect(readdirSync(to).filter((name) => name.endsWith('.bin'))).toHaveLength(FILES);
        const log = strict.accessLog();
        const refused = log.filter(({ status }) => status === 503).length;
        expect(refused).toBeGreaterThan(0);
        expect(refused / log.length).toBeLessThan(0.05);
      } finally {
        await strict.stop();
      }
    },
    LONG_MS,
  );

  it(
    'grow over a long link, and status says how many there are and why',
    async () => {
      // Far enough for `status` to be asked in between, however busy the machine is.
      const further = await far.before(nginx.port);
      await further.add('latency', { latency: 400 });
      const { to, pulling } = pull(`http://127.0.0.1:${further.port}/`);
      const shown = await shownUntil(to, ({ connections }) => connections >= 16);
      expect(shown?.connections).toBeGreaterThanOrEqual(16);
      expect(shown?.decisions[0]?.text).toMatch(/^\d+ to \d+ connections: /u);
      expect(await pulling.done).toMatchObject({ exitCode: 0 });
    },
    LONG_MS,
  );

  it(
    'go down while a source is busy, and up again when it is free',
    async () => {
      const many = serveMany(6_000);
      const { to } = pull(`${server.url}${many.path}`);
      expect((await shownUntil(to, (now) => now.connections >= 8))?.connections).toBeGreaterThan(7);
      many.allow(1);
      expect((await shownUntil(to, (now) => now.connections <= 2))?.connections).toBeLessThan(3);
      const text = (await bed.run(['status', to])).stdout;
      expect(text).toMatch(/\d connections? to the source\n {2}\d\d:\d\d:\d\d {2}\d+ to \d+ conn/u);
      many.allow(Number.MAX_SAFE_INTEGER);
      expect((await shownUntil(to, (now) => now.connections >= 4))?.connections).toBeGreaterThan(3);
    },
    LONG_MS,
  );

  it(
    'are never more than the source has declared, nor does the worker need more memory, whatever --concurrency says',
    async () => {
      const many = serveMany(600);
      const { pulling } = pull(`${server.url}${many.path}`, '--concurrency', '100000');
      expect(await pulling.done).toMatchObject({ exitCode: 0 });
      expect(many.most()).toBeLessThanOrEqual(32);
      expect(many.most()).toBeGreaterThan(8);
      const { result } = await bed.run(['doctor', '--json']);
      const { worker } = result['processes'] as { worker: number };
      const most = /^VmHWM:\s+(\d+) kB/mu.exec(readFileSync(`/proc/${worker}/status`, 'utf8'));
      expect(Number(most?.[1])).toBeLessThan(600 * 1024);
    },
    LONG_MS,
  );

  it.each(['0', '-1', 'fast', '1.5', ''])(
    '--concurrency "%s" is exit 2 and says what to type',
    async (value) => {
      const run = await bed.run(['pull', nginx.url, join(bed.dir, 'no'), `--concurrency=${value}`]);
      expect(run).toMatchObject({ exitCode: 2 });
      expect(run.stderr).toMatch(/concurrency.*whole number above 0; write one, such as 16/u);
    },
    LONG_MS,
  );
});
