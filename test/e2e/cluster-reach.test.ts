import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WaybillClient } from '../../src/client.js';
import type { PullRequest, PullResult } from '../../src/model/pull.js';
import { scratchFolder, scrubbedEnv } from '../helpers/processes.js';
import { startTemporal, type Temporal } from '../helpers/temporal.js';
import { runWaybill, type WaybillRun } from '../helpers/waybill.js';
import { newRequest, until } from '../workflows/lib/bench.js';

const WORKER = fileURLToPath(new URL('../../src/worker.js', import.meta.url));
const TOKEN = 'token-of-the-worker-6f1c';
const CALLERS = 'token-of-the-caller-77aa';

/** Gives its files to those who bring the token, and remembers who brought what. */
interface Guarded {
  readonly server: Server;
  readonly origin: string;
  readonly seen: string[];
}

async function startGuarded(redirectTo?: () => string): Promise<Guarded> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const { authorization = 'nothing' } = request.headers;
    seen.push(authorization);
    if (redirectTo && request.url === '/away') {
      response.writeHead(302, { location: redirectTo() }).end();
    } else if (authorization === `Bearer ${TOKEN}`) {
      response.writeHead(200, { 'content-length': 7, etag: '"1"' }).end('weights');
    } else response.writeHead(401).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, seen, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

let temporal: Temporal;
let client: WaybillClient;
let worker: ChildProcess;
let home: string;
let root: string;
let readable: string;
let listed: Guarded;
let other: Guarded;

beforeAll(async () => {
  home = scratchFolder('cluster-reach');
  root = join(home, 'roots', 'data');
  readable = join(home, 'roots', 'readable');
  for (const folder of [root, readable, join(home, 'outside')]) {
    mkdirSync(folder, { recursive: true });
  }
  writeFileSync(join(readable, 'weights.bin'), 'weights');
  writeFileSync(join(home, 'outside', 'secret.txt'), 'secret');
  symlinkSync(join(home, 'outside'), join(root, 'way-out'));
  symlinkSync(join(home, 'outside'), join(readable, 'way-out'));
  other = await startGuarded();
  listed = await startGuarded(() => `${other.origin}/model.bin`);
  writeFileSync(join(home, 'token'), `${TOKEN}\n`);
  mkdirSync(join(home, 'waybill'));
  writeFileSync(
    join(home, 'waybill', 'waybill.toml'),
    [
      '[worker]',
      `roots = ["${root}"]`,
      `source-roots = ["${readable}"]`,
      ...['[connections.prod]', 'type = "http"', `http_token_file = "${join(home, 'token')}"`],
      `origins = ["${listed.origin}"]`,
      ...['[connections.narrow]', 'type = "http"', `http_token_file = "${join(home, 'token')}"`],
      `prefixes = ["${listed.origin}/models/churn"]`,
      ...['[connections.open]', 'type = "http"', `http_token_file = "${join(home, 'token')}"`],
    ].join('\n'),
  );
  temporal = await startTemporal();
  client = await WaybillClient.connect({ address: temporal.address });
  worker = spawn(process.execPath, [WORKER, '--address', temporal.address], {
    env: scrubbedEnv({ XDG_CONFIG_HOME: home }),
    cwd: home,
    stdio: 'ignore',
  });
  await until('the worker polls', () => client.isServed(), 60_000);
}, 180_000);

afterAll(async () => {
  worker.kill('SIGTERM');
  await once(worker, 'exit');
  await client.close();
  await temporal.stop();
  for (const { server } of [listed, other]) server.close();
});

function pull(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<WaybillRun> {
  return runWaybill(['pull', ...args], { cwd: home, env: { ...temporal.env, ...env } });
}

/** A pull that no command line has made. */
async function ask(changes: Partial<PullRequest>): Promise<PullResult> {
  const { pullId } = await client.startPull(newRequest(changes));
  return client.result(pullId);
}

const into = (name: string): PullRequest['destination'] => ({
  path: join(root, name),
  isFolder: false,
});

describe('rule 2: on a cluster', () => {
  it.each([
    ['a token', { WAYBILL_HTTP_TOKEN: CALLERS }, 'https://host/x', 'WAYBILL_HTTP_TOKEN'],
    ['keys', { AWS_ACCESS_KEY_ID: 'AKIA5', AWS_SECRET_ACCESS_KEY: CALLERS }, 's3://b/x', 'AWS_'],
    ['a profile', { AWS_PROFILE: 'prod' }, 's3://b/x', 'AWS_PROFILE'],
  ])('%s of the calling shell is refused by name, never ignored', async (_what, env, uri, name) => {
    const { exitCode, stderr } = await pull([uri, `any:${root}/x`], env);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(name);
    expect(stderr).toContain('use --connection');
    expect(stderr).not.toContain(CALLERS);
  });

  it('a named connection is that of the worker, and what the shell has instead is said', async () => {
    const source = `${listed.origin}/model.bin`;
    const args = [source, `any:${root}/named.bin`, '--connection', 'prod'];
    const { exitCode, stderr } = await pull(args, { WAYBILL_HTTP_TOKEN: CALLERS });
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('WAYBILL_HTTP_TOKEN of this')]);
    expect(readFileSync(join(root, 'named.bin'), 'utf8')).toBe('weights');
    expect(listed.seen).toContain(`Bearer ${TOKEN}`);
    expect(listed.seen).not.toContain(`Bearer ${CALLERS}`);
    expect(existsSync(join(root, '.named.bin.waybill', 'receipt.json'))).toBe(true);
  });

  it('credentials that a request brings along in spite of it are refused by the worker', async () => {
    const source = { uri: `${listed.origin}/x`, settings: {}, credentials: 'a'.repeat(64) };
    expect(await ask({ source, destination: into('brought') })).toMatchObject({
      code: 'WB_PERMISSION_DENIED',
      message: expect.stringContaining('use --connection') as unknown,
    });
  });
});

describe('rule 3: on a cluster', () => {
  it.each([
    'https://user:pw-123456@host/x',
    'https://bucket.host/x?X-Amz-Signature=0123456789abcdef&X-Amz-Credential=AKIA5',
    'https://account.host/x?sv=2024&sig=0123456789abcdef',
  ])('an address with a secret is refused with the words "use --connection": %s', async (uri) => {
    const { exitCode, stderr, stdout } = await pull([uri, `any:${root}/x`, '--json']);
    expect(exitCode).toBe(2);
    expect(stderr + stdout).toContain('use --connection');
    expect(stderr + stdout).not.toMatch(/pw-123456|0123456789abcdef/);
  });
});

describe('rule 4: the worker of a cluster', () => {
  it.each([
    ['a folder outside', '/somewhere/else'],
    ['a link that leads out of a root', 'way-out/x'],
    ['a way out by dots', '../readable/x'],
  ])('does not write into %s', async (_what, path) => {
    const source = { uri: readable, settings: {} };
    const destination = { path: join(path.startsWith('/') ? '' : root, path), isFolder: false };
    expect(await ask({ source, destination })).toMatchObject({
      code: 'WB_PERMISSION_DENIED',
      message: expect.stringContaining('writes only below its roots') as unknown,
    });
    expect(existsSync(destination.path)).toBe(false);
  });

  it.each([
    ['/etc/hostname', false],
    ['file:///etc/hostname', false],
    ['outside/secret.txt', false],
    ['roots/readable/../../outside/secret.txt', false],
    ['roots/readable/way-out/secret.txt', false],
    ['roots/readable/weights.bin', true],
  ])('reads of its disk what lies in its roots: %s: %s', async (path, isAllowed) => {
    const uri = /^(\/|file:)/.test(path) ? path : `${home}/${path}`;
    const destination = into(`read-${path.replace(/\W+/g, '-')}`);
    const result = await ask({ source: { uri, settings: {} }, destination });
    if (isAllowed) expect(result).toMatchObject({ ok: true, files: 1 });
    else expect(result).toMatchObject({ ok: false, code: 'WB_PERMISSION_DENIED' });
    expect(existsSync(destination.path)).toBe(isAllowed);
  });

  it.each([
    ['AWS_PROFILE', 's3://bucket/x', 'admin'],
    ['AWS_SHARED_CREDENTIALS_FILE', 's3://bucket/x', '/root/.aws/credentials'],
    ['ALLOW_LOCAL_ROOTS', 'models:/churn/1', '/'],
    ['WAYBILL_PATH_MAP', 'models:/churn/1', '/=/'],
    ['MLFLOW_TRACKING_URI', 'models:/churn/1', 'file:///etc'],
    ['MLFLOW_TRACKING_URI', 'models:/churn/1', 'sqlite:////var/mlflow.db'],
    ['MLFLOW_REGISTRY_URI', 'models:/churn/1', './mlruns'],
    ['WAYBILL_CLIENT_KEY_FILE', 'https://host/x', '/etc/key.pem'],
  ])('lends nothing of its own to a request that names it: %s', async (name, uri, value) => {
    const settings = { MLFLOW_TRACKING_URI: listed.origin, [name]: value };
    expect(await ask({ source: { uri, settings }, destination: into('lent') })).toMatchObject({
      code: 'WB_PERMISSION_DENIED',
      message: expect.stringContaining(name) as unknown,
    });
  });

  it('sends a connection to its origins alone: not elsewhere, not along a redirect, not by other settings', async () => {
    const before = other.seen.length;
    const from = (uri: string, settings = {}): Promise<PullResult> =>
      ask({ source: { uri, settings, connection: 'prod' }, destination: into('origins') });
    for (const uri of [`${other.origin}/model.bin`, `${listed.origin}/away`]) {
      const { code, message } = await from(uri);
      expect([code, message]).toEqual(['WB_PERMISSION_DENIED', expect.stringContaining('origins')]);
    }
    const { code, message } = await from(`${listed.origin}/x`, { HTTP_PROXY: other.origin });
    expect([code, message]).toEqual([
      'WB_PERMISSION_DENIED',
      expect.stringContaining('HTTP_PROXY'),
    ]);
    expect(other.seen.length).toBe(before);
  });

  it.each([
    ['/models/churn/3.bin', true],
    ['/models/churn', true],
    ['/models/churn-secret/3.bin', false],
    ['/models/churn/../other.bin', false],
    ['/models/churn/%2e%2e/other.bin', false],
    ['/models', false],
  ])('matches prefixes at / only: %s: %s', async (path, isAllowed) => {
    const source = { uri: listed.origin + path, settings: {}, connection: 'narrow' };
    const result = await ask({ source, destination: into(`prefix${path.replace(/\W+/g, '-')}`) });
    if (isAllowed) expect(result).toMatchObject({ ok: true });
    else expect(result).toMatchObject({ ok: false, code: 'WB_PERMISSION_DENIED' });
  });

  it('gives no secret to a connection that would send it anywhere, and knows only its own names', async () => {
    const uri = `${listed.origin}/x`;
    const named = (connection: string): Promise<PullResult> =>
      ask({ source: { uri, settings: {}, connection }, destination: into('names') });
    expect(await named('open')).toMatchObject({
      code: 'WB_CONFIG_INVALID',
      message: expect.stringContaining('names no origins') as unknown,
    });
    expect(await named('of-the-caller')).toMatchObject({ code: 'WB_CONFIG_INVALID' });
  });
});
