/** What two real workers of a cluster may have together: the bandwidth of their site, and the connections of a pull. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { scratchFolder } from '../helpers/processes.js';
import { startTemporal, type Temporal } from '../helpers/temporal.js';
import { startWaybill } from '../helpers/waybill.js';
import { startOperatedWorker, type OperatedWorker } from './lib/operated-worker.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;
const LIMIT_BYTES = 8 * MiB;
const CONNECTIONS = 4;
const FILE_BYTES = 16 * MiB;
const FILES = 11;
/** Two workers that do not know of each other take 16 MiB a second: by the time that so much has left, they do. */
const KNOWN_FROM_BYTES = 96 * MiB;

let temporal: Temporal;
let home: string;
let data: string;
let source: Source;
let workers: readonly OperatedWorker[] = [];

/** A listing of equal files. */
interface Source {
  readonly url: string;
  /** When so much had left that the workers knew of each other. */
  knownAtMs(): number;
  /** The most files that were on their way at once from then on. */
  most(): number;
  stop(): Promise<void>;
}

async function startSource(): Promise<Source> {
  const chunk = Buffer.alloc(64 * 1024, 7);
  let served = 0;
  let open = 0;
  let most = 0;
  let knownAtMs = 0;
  const count = (bytes: number): void => {
    served += bytes;
    if (knownAtMs === 0 && served >= KNOWN_FROM_BYTES) knownAtMs = performance.now();
  };
  const send = (response: ServerResponse): void => {
    let left = FILE_BYTES;
    const more = (): void => {
      while (left > 0) {
        left -= chunk.length;
        count(chunk.length);
        if (!response.write(chunk)) break;
      }
      if (left <= 0) response.end();
    };
    response.on('drain', () => {
      if (left > 0) more();
    });
    more();
  };
  const server: Server = createServer(({ url = '', method }, response) => {
    if (url === '/set/') {
      const links = Array.from({ length: FILES }, (_, at) => `<a href="f${at}.bin">f${at}.bin</a>`);
      response.setHeader('Content-Type', 'text/html');
      response.end(`<html><title>Index of /set/</title><pre>${links.join('\n')}</pre></html>`);
      return;
    }
    if (!url.endsWith('.bin')) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Length': FILE_BYTES, ETag: '"v"' });
    if (method === 'HEAD') {
      response.end();
      return;
    }
    open += 1;
    if (knownAtMs > 0) most = Math.max(most, open);
    response.once('close', () => (open -= 1));
    send(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/set/`,
    knownAtMs: () => knownAtMs,
    most: () => most,
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

beforeAll(async () => {
  home = scratchFolder('shared-limits');
  data = join(home, 'data');
  for (const folder of [data, join(home, 'waybill')]) mkdirSync(folder);
  writeFileSync(
    join(home, 'waybill', 'waybill.toml'),
    ['[sites.lab]', `roots = ["${data}"]`, `max-bandwidth = "${LIMIT_BYTES}B/s"`].join('\n'),
  );
  [temporal, source] = await Promise.all([startTemporal(), startSource()]);
  const env = { ...temporal.env, XDG_CONFIG_HOME: home };
  workers = await Promise.all(
    ['a', 'b'].map((name) =>
      startOperatedWorker(['--site', 'lab'], { env, cwd: home, stateDir: join(home, name) }),
    ),
  );
  await Promise.all(workers.map((one) => one.untilReadiness('ready')));
}, LONG_MS);

afterAll(async () => {
  for (const { running } of workers) running.signal('SIGKILL');
  await Promise.all(workers.map(({ running }) => running.done));
  await Promise.all([temporal.stop(), source.stop()]);
}, LONG_MS);

async function bytesOf(worker: OperatedWorker): Promise<number> {
  const values = [...(await worker.scrape())].filter(([name]) =>
    name.startsWith('waybill_bytes_total'),
  );
  return values.reduce((sum, [, value]) => sum + value, 0);
}

describe('two workers of a site', () => {
  it(
    'keep to its bandwidth and to the connections of a pull together, and both work',
    async () => {
      const to = `lab:${join(data, 'tree')}`;
      const args = ['pull', source.url, to, '--concurrency', String(CONNECTIONS), '--json'];
      const env = { ...temporal.env, XDG_CONFIG_HOME: home };
      const { exitCode, result } = await startWaybill(args, {
        cwd: home,
        env,
        timeoutMs: LONG_MS,
      }).done;
      const seconds = (performance.now() - source.knownAtMs()) / 1_000;
      const { message } = result;
      expect({ exitCode, message }).toEqual({ exitCode: 0, message: null });
      // What was left came no faster than the limit; what lay in sockets by then only makes it slower.
      const left = FILES * FILE_BYTES - KNOWN_FROM_BYTES;
      expect(left / seconds).toBeLessThan(LIMIT_BYTES * 1.1);
      expect(source.most()).toBeLessThanOrEqual(CONNECTIONS);
      const brought = await Promise.all(workers.map(bytesOf));
      expect(Math.min(...brought)).toBeGreaterThanOrEqual(FILE_BYTES);
    },
    LONG_MS,
  );
});
