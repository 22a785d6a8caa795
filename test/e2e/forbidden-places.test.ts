/** What no pull reads, whoever names it: metadata services behind harmless names, and what a connection does not list. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startLonelyNetwork, type LonelyNetwork } from '../helpers/lonely-network.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { freePort } from '../helpers/ports.js';
import { startProcess, type ServerProcess } from '../helpers/processes.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';

const LONG_MS = 300_000;
/** Both are addresses of the network namespace, and answer there. */
const METADATA = ['169.254.169.254', 'fd00:ec2::254'];

let bed: WaybillBed;
let network: LonelyNetwork;
let nginx: Nginx;
let other: Nginx;
const metadata: ServerProcess[] = [];

beforeAll(async () => {
  bed = openWaybill();
  network = await startLonelyNetwork();
  const root = join(bed.dir, 'root');
  mkdirSync(join(root, 'models', 'churn'), { recursive: true });
  writeFileSync(join(root, 'models', 'churn', 'w.bin'), 'weights');
  writeFileSync(join(root, 'w.bin'), 'weights');
  const [port, otherPort] = [await freePort(), await freePort()];
  const host = network.hostAddress;
  other = await startNginx({ root, server: `listen ${host}:${otherPort};` });
  nginx = await startNginx({
    root,
    server: `listen ${host}:${port};
      location /to-metadata { return 302 http://metadata.example/secret; }
      location /models/away { return 302 http://${host}:${otherPort}/w.bin; }`,
  });
  source = `http://${host}:${port}`;
  elsewhere = `http://${host}:${otherPort}`;
  await startMetadata();
  mkdirSync(join(bed.dir, 'config', 'waybill'), { recursive: true });
  writeFileSync(
    join(bed.dir, 'config', 'waybill', 'waybill.toml'),
    [
      ...['[connections.narrow]', 'type = "http"', `prefixes = ["${source}/models/churn"]`],
      ...['[connections.home]', 'type = "http"', `origins = ["${source}"]`],
    ].join('\n'),
  );
}, LONG_MS);

let source: string;
let elsewhere: string;

afterAll(async () => {
  await bed.run(['down', '--force'], { runner: network.runner });
  await bed.close();
  await Promise.all([...metadata, nginx, other].map((server) => server.stop()));
  await network.stop();
}, LONG_MS);

/** A metadata service with something to steal, and names that lead to it. */
async function startMetadata(): Promise<void> {
  const folder = join(bed.dir, 'metadata');
  mkdirSync(folder);
  writeFileSync(join(folder, 'secret'), 'the keys of the machine');
  nameHosts(network.hostAddress);
  inside('mount', '--bind', join(bed.dir, 'hosts'), '/etc/hosts');
  for (const [index, address] of METADATA.entries()) {
    inside('ip', 'address', 'add', address, 'dev', 'lo');
    const dir = join(bed.dir, `metadata-${index}`);
    mkdirSync(dir);
    const [command = '', ...runner] = network.runner;
    const serve = ['python3', '-m', 'http.server', '80', '--bind', address, '--directory', folder];
    const ask = `import socket; socket.create_connection(("${address}", 80), 1)`;
    metadata.push(
      await startProcess({
        name: 'metadata',
        command,
        args: [...runner, ...serve],
        dir,
        isReady: () => {
          inside('python3', '-c', ask);
          return Promise.resolve(true);
        },
      }),
    );
  }
}

function nameHosts(rebinding: string): void {
  const lines = [
    '127.0.0.1 localhost',
    `${METADATA[0]} metadata.example bucket.metadata.example`,
    `${METADATA[1]} six.example`,
    `${network.hostAddress} both.example`,
    `${METADATA[0]} both.example`,
    `${rebinding} rebinding.example`,
  ];
  writeFileSync(join(bed.dir, 'hosts'), `${lines.join('\n')}\n`);
}

function inside(...command: string[]): string {
  const [program = '', ...words] = [...network.runner, ...command];
  return execFileSync(program, words, { encoding: 'utf8', stdio: 'pipe' });
}

function waybill(args: readonly string[], env: Record<string, string> = {}): Promise<WaybillRun> {
  return bed.run(args, {
    runner: network.runner,
    env: { XDG_CONFIG_HOME: join(bed.dir, 'config'), ...env },
  });
}

/** The exit code and the code of a pull. */
async function pull(
  from: string,
  to: string,
  env: Record<string, string> = {},
): Promise<readonly unknown[]> {
  const run = await waybill(['pull', from, join(bed.dir, to), '--json'], env);
  return [run.exitCode, run.result['code']];
}

const REFUSED = [5, 'WB_PERMISSION_DENIED'];

const port = (): string => new URL(source).port;

/** What the metadata services were asked. */
const asked = (): string =>
  METADATA.map((_, index) =>
    readFileSync(join(bed.dir, `metadata-${index}`, 'metadata.log'), 'utf8'),
  )
    .join('')
    .split('\n')
    .filter((line) => line.includes('HTTP/1'))
    .join('\n');

describe('rule 4: a name that leads to a metadata service is refused when it is connected to', () => {
  it.each([
    ['an address of IPv4', () => 'http://metadata.example/secret'],
    ['an address of IPv6', () => 'http://six.example/secret'],
    ['two addresses, of which one is good', () => `http://both.example:${port()}/w.bin`],
    ['a redirect of a good server', () => `${source}/to-metadata`],
  ])(
    '%s',
    async (_what, from) => {
      expect(await pull(from(), 'stolen.bin')).toEqual(REFUSED);
      expect(existsSync(join(bed.dir, 'stolen.bin'))).toBe(false);
    },
    LONG_MS,
  );

  it.each([
    ['the endpoint of S3', 's3://bucket/secret', { AWS_ENDPOINT_URL: 'http://metadata.example' }],
    ['an MLflow server', 'models:/m/1', { MLFLOW_TRACKING_URI: 'http://metadata.example' }],
  ])(
    '%s',
    async (_what, from, env) => {
      const keys = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
      expect(await pull(from, 'stolen', { ...keys, ...env })).toEqual(REFUSED);
    },
    LONG_MS,
  );

  it(
    'also for ls and --dry-run, which run in the shell',
    async () => {
      const from = 'http://metadata.example/secret';
      expect((await waybill(['ls', from])).exitCode).toBe(5);
      expect((await waybill(['pull', from, 'x', '--dry-run'])).exitCode).toBe(5);
    },
    LONG_MS,
  );

  it(
    'a name that led elsewhere when it was asked before',
    async () => {
      const from = `http://rebinding.example:${port()}/w.bin`;
      expect(await pull(from, 'first.bin')).toEqual([0, null]);
      nameHosts(METADATA[0] ?? '');
      expect(await pull(`http://rebinding.example/secret`, 'second.bin')).toEqual(REFUSED);
    },
    LONG_MS,
  );

  it('and nobody has asked those services, which would have answered', () => {
    expect(asked()).toBe('');
    const read =
      'import urllib.request as u; print(u.urlopen("http://metadata.example/secret").read())';
    expect(inside('python3', '-c', read)).toContain('the keys of the machine');
    expect(asked()).toContain('GET /secret');
  });
});

describe('rule 4: what a connection lists holds for a pull, for its preview and for ls', () => {
  const every = async (name: string, from: string): Promise<readonly number[]> => {
    const by = ['--connection', name];
    const runs = [
      await waybill(['pull', from, join(bed.dir, 'got', name) + '/', ...by]),
      await waybill(['pull', from, join(bed.dir, 'seen', name) + '/', '--dry-run', ...by]),
      await waybill(['ls', from, ...by]),
    ];
    return runs.map(({ exitCode }) => exitCode);
  };

  it.each([
    ['narrow', 'below its prefix', () => `${source}/models/churn/w.bin`, [0, 0, 0]],
    ['narrow', 'outside of its prefix', () => `${source}/w.bin`, [5, 5, 5]],
    ['home', 'of its origin', () => `${source}/w.bin`, [0, 0, 0]],
    ['home', 'of another origin', () => `${elsewhere}/w.bin`, [5, 5, 5]],
    ['home', 'that redirects to another origin', () => `${source}/models/away`, [5, 5, 5]],
  ])(
    'connection %s, a source %s',
    async (name, _what, from, exitCodes) => {
      expect(await every(name, from())).toEqual(exitCodes);
    },
    LONG_MS,
  );

  it(
    'and for the list that --expect names',
    async () => {
      const from = `${source}/models/churn/w.bin`;
      const args = ['pull', from, 'expected.bin', '--connection', 'narrow'];
      const list = ['--expect', `${source}/SHA256SUMS`];
      for (const more of [[], ['--dry-run']]) {
        expect((await waybill([...args, ...list, ...more])).exitCode).toBe(5);
      }
    },
    LONG_MS,
  );
});
