/** A cluster that asks who one is: certificates of its own authority both ways, API keys with rights, and encrypted payloads. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeAuthority, type Issued } from '../helpers/certificates.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { freePort } from '../helpers/ports.js';
import {
  openWaybill,
  type RunningWaybill,
  type WaybillBed,
  type WaybillRun,
} from '../helpers/waybill.js';
import { makeKeyAuthority } from './api-keys.js';
import { startNetwork, type Network } from './host.js';
import { startPostgres, type Postgres } from './postgres.js';
import { startTemporalServer, type TemporalServer } from './temporal-server.js';
import { writeTree, type Tree } from './trees.js';

const LONG_MS = 300_000;
const SECRET_NAME = 'merger-with-acme';
const UI = 'http://127.0.0.1:8080';

let network: Network;
let postgres: Postgres;
let temporal: TemporalServer;
let jwksServer: Nginx;
let bed: WaybillBed;
let worker: RunningWaybill;
let tree: Tree;
let source: string;
let caFile: string;
let ada: Issued;
let keysFile: string;
const api = makeKeyAuthority();
const writer = api.issue('writer', ['default:worker', 'default:write', 'default:read']);
const admin = api.issue('admin', ['temporal-system:admin', 'default:admin']);

/** Everything that a caller with all rights has. */
const full = (apiKey = writer): Record<string, string> => ({
  TEMPORAL_ADDRESS: temporal.address,
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: caFile,
  TEMPORAL_TLS_CLIENT_CERT_PATH: ada.certFile,
  TEMPORAL_TLS_CLIENT_KEY_PATH: ada.keyFile,
  TEMPORAL_API_KEY: apiKey,
  WAYBILL_PAYLOAD_KEYS: keysFile,
});

const newKey = (name: string): string => `${name} ${randomBytes(32).toString('base64')}\n`;

const tlsOf = (): object => ({
  serverRootCACertificate: readFileSync(caFile),
  clientCertPair: { crt: readFileSync(ada.certFile), key: readFileSync(ada.keyFile) },
});

async function startWorker(): Promise<RunningWaybill> {
  const env = { ...full(), WAYBILL_ROOTS: bed.dir, WAYBILL_SOURCE_ROOTS: bed.dir };
  const running = bed.start(['worker'], { env, timeoutMs: 3_600_000 });
  await running.untilOutput(/"polling"/u);
  return running;
}

beforeAll(async () => {
  bed = openWaybill();
  source = join(bed.dir, SECRET_NAME);
  tree = writeTree(source, 3, 1024);
  network = await startNetwork();
  const { address, runner } = network;
  const folder = join(bed.dir, 'authority');
  mkdirSync(folder);
  const authority = makeAuthority(folder);
  caFile = authority.certFile;
  ada = authority.issue('ada');
  keysFile = join(folder, 'payload-keys');
  writeFileSync(keysFile, newKey('first'), { mode: 0o600 });
  const server = authority.issue('server', { names: `IP:${address},DNS:localhost` });
  writeFileSync(join(folder, 'jwks.json'), api.jwks);
  const served = { root: folder, host: address, port: 8090, runner };
  [postgres, jwksServer] = await Promise.all([startPostgres(runner), startNginx(served)]);
  temporal = await startTemporalServer({
    postgres,
    address,
    runner,
    security: { server, clientCaFile: caFile, jwksUri: `${jwksServer.url}/jwks.json` },
    connection: { tls: tlsOf(), apiKey: admin },
  });
  worker = await startWorker();
}, LONG_MS);

afterAll(async () => {
  worker.signal('SIGTERM');
  expect(await worker.done).toMatchObject({ exitCode: 0 });
  await temporal.stop();
  await Promise.all([postgres.stop(), jwksServer.stop()]);
  await network.stop();
  await bed.close();
}, LONG_MS);

describe('a cluster with certificates and API keys', () => {
  it(
    'does not hear a caller without a certificate of its own or without an API key, and tells it so',
    async () => {
      const ask = async (without: RegExp): Promise<WaybillRun> => {
        const all = Object.entries(full()).filter(([name]) => !without.test(name));
        return bed.run(['pulls', '--json'], { env: Object.fromEntries(all) });
      };
      const all = await Promise.all([ask(/TLS/u), ask(/CLIENT/u), ask(/API_KEY/u)]);
      expect(all.map(({ exitCode }) => exitCode)).toEqual([10, 10, 5]);
      expect(all[2].stderr).toContain('TEMPORAL_API_KEY');
      for (const { stdout, stderr } of all) expect(stdout + stderr).not.toContain(writer);
    },
    LONG_MS,
  );

  it(
    'brings a pull for whoever has both; no name of a file or source stands in its records',
    async () => {
      const destination = join(bed.dir, 'out', SECRET_NAME);
      const run = await bed.run(['pull', source, `any:${destination}`, '--json'], { env: full() });
      expect(run).toMatchObject({ exitCode: 0, result: { ok: true, files: 3 } });
      expect(tree.wrongIn(destination)).toEqual([]);
      const pullId = String(run.result['pullId']);
      const records = await recordsOf(pullId);
      expect(records).toContain('binary/encrypted');
      // The id of the pull is made of the destination's own name, which Temporal has to know.
      const hidden = records.replaceAll(pullId, '');
      expect(hidden).not.toContain(SECRET_NAME);
      expect(hidden).not.toContain('part-0000');
      const list = await bed.run(['pulls', '--json'], { env: full() });
      expect(list.stdout).toContain(source);
    },
    LONG_MS,
  );

  it(
    'refuses a key without the right to start with what it may not do, and a namespace that is not there by its name',
    async () => {
      const reader = api.issue('reader', ['default:read']);
      const args = ['pull', source, `any:${join(bed.dir, 'refused')}`, '--json'];
      const refused = await bed.run(args, { env: full(reader) });
      expect(refused).toMatchObject({ exitCode: 5, result: { code: 'WB_UNAUTHENTICATED' } });
      expect(refused.result['message']).toMatch(/its rights here/u);
      // What it would have to poll and to start is not its to ask for either.
      for (const key of [reader, 'no-key-at-all']) {
        const idle = await bed.run(['worker', '--json'], { env: full(key) });
        expect(idle).toMatchObject({
          exitCode: 5,
          result: {
            code: 'WB_UNAUTHENTICATED',
            message: expect.stringContaining('TEMPORAL_API_KEY'),
          },
        });
        expect(idle.stdout + idle.stderr).not.toContain(key);
      }
      const absent = await bed.run(args, { env: { ...full(admin), TEMPORAL_NAMESPACE: 'absent' } });
      expect(absent.exitCode).not.toBe(0);
      expect(absent.result['message']).toMatch(/namespace "?absent/u);
      expect(absent.result['message']).toContain('temporal operator namespace create');
    },
    LONG_MS,
  );

  it(
    'goes on with a new payload key: what the old one has encrypted is still read',
    async () => {
      const before = readFileSync(keysFile, 'utf8');
      worker.signal('SIGTERM');
      await worker.done;
      writeFileSync(keysFile, newKey('second') + before, { mode: 0o600 });
      worker = await startWorker();
      const destination = join(bed.dir, 'rotated');
      const run = await bed.run(['pull', source, `any:${destination}`, '--json'], { env: full() });
      expect(run).toMatchObject({ exitCode: 0 });
      expect((await bed.run(['pulls'], { env: full() })).stdout).toContain('rotated');
      const records = await recordsOf(String(run.result['pullId']));
      expect(records).toContain(Buffer.from('second').toString('base64'));
    },
    LONG_MS,
  );

  it(
    'is readable in a web page through `waybill codec-server`, for pages of one origin alone',
    async () => {
      const port = await freePort();
      const args = ['codec-server', '--ui-origin', UI, '--port', String(port)];
      const server = bed.start(args, { env: { WAYBILL_PAYLOAD_KEYS: keysFile } });
      await server.untilOutput(/decrypting at/u);
      const found = await bed.run(['pulls', '--json'], { env: full() });
      const pullId = /"pullId":"([^"]+)"/u.exec(found.stdout)?.[1] ?? '';
      const payload = (await inputOf(pullId)) as object;
      const ask = (origin: string): Promise<Response> =>
        fetch(`http://127.0.0.1:${port}/decode`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', origin },
          body: JSON.stringify({ payloads: [payload] }),
        });
      const answer = await ask(UI);
      expect(answer.headers.get('access-control-allow-origin')).toBe(UI);
      const { payloads } = (await answer.json()) as { payloads: { data: string }[] };
      const text = Buffer.from(payloads[0]?.data ?? '', 'base64').toString('utf8');
      expect(text).toContain(source);
      const stranger = await ask('https://elsewhere.example');
      expect([stranger.status, stranger.headers.get('access-control-allow-origin')]).toEqual([
        403,
        null,
      ]);
      server.signal('SIGTERM');
      expect(await server.done).toMatchObject({ exitCode: 0 });
    },
    LONG_MS,
  );
});

async function withClient<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const { address } = temporal;
  const connection = await Connection.connect({ address, tls: tlsOf(), apiKey: admin });
  try {
    return await use(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

/** All that Temporal keeps of a pull, with the bytes of its payloads as text too. */
async function recordsOf(pullId: string): Promise<string> {
  return withClient(async (client) => {
    const handle = client.workflow.getHandle(pullId);
    const [history, raw] = await Promise.all([
      handle.fetchHistory(),
      client.workflowService.describeWorkflowExecution({
        namespace: 'default',
        execution: { workflowId: pullId },
      }),
    ]);
    const text = JSON.stringify([history, raw]);
    const strings = [...text.matchAll(/"([A-Za-z0-9+/]{8,}={0,2})"/gu)].map(([, data = '']) =>
      Buffer.from(data, 'base64').toString('latin1'),
    );
    return [text, ...strings].join('\n');
  });
}

/** The input of a pull as Temporal's web page sends it to a codec server. */
async function inputOf(pullId: string): Promise<unknown> {
  return withClient(async (client) => {
    const { events } = await client.workflow.getHandle(pullId).fetchHistory();
    const started = events?.[0]?.workflowExecutionStartedEventAttributes;
    const payload = started?.input?.payloads?.[0];
    const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
    const metadata = Object.entries(payload?.metadata ?? {}).map(([name, value]) => [
      name,
      text(value),
    ]);
    return {
      metadata: Object.fromEntries(metadata) as object,
      data: text(payload?.data ?? Buffer.alloc(0)),
    };
  });
}
