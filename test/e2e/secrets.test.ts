import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { readServiceRecord, type ServiceRecord } from '../../src/service/service-record.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';

/** Another run of these tests on this machine has other ones. */
const own = randomBytes(4).toString('hex');

/** Each is looked for everywhere; none of them is part of an address or a name. */
const SECRETS = {
  password: `pw/of+userinfo-${own}`,
  signature: `f00dface${own}`,
  sas: `c2FzL+${own}=`,
  httpToken: `http-token-${own}`,
  mlflowToken: `mlflow-token-${own}`,
  mlflowPassword: `mlflow/password-${own}`,
  awsKey: `aws-secret-key-${own}`,
  awsSession: `aws/session+token-${own}`,
  fromFile: `token-in-a-file-${own}`,
  inLocation: `token-in-a-location-${own}`,
} as const;

let bed: WaybillBed;
let server: Server;
let origin: string;
const startedAtMs = Date.now() - 1_000;
const runs: { readonly name: string; readonly run: WaybillRun }[] = [];

/** What the server has repeated: what there was to leak. */
const repeated = new Set<string>();

/** The commands of this test: what a person types stands in their own command lines, and nowhere else. */
const typed = new Set<number>();
const commandLines = { own: new Set<string>(), others: new Set<string>() };

/** Looks at every process of the machine, while a pull is running. */
function lookAtProcesses(): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    let line = '';
    try {
      line = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
    } catch {
      // It has ended.
    }
    const found = secretsIn(line);
    const seen = typed.has(Number(pid)) ? commandLines.own : commandLines.others;
    found.forEach((name) => seen.add(name));
  }
}

/** Gives `/ok...`, sends `/away` on with a secret in the address, refuses the rest and repeats what it was asked. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = request.url ?? '';
  lookAtProcesses();
  if (url.startsWith('/ok')) {
    response.writeHead(200, { 'content-length': 7, etag: '"1"' }).end('weights');
  } else if (url.startsWith('/away')) {
    response.writeHead(302, { location: `${origin}/gone?token=${SECRETS.inLocation}` }).end();
  } else {
    const said = repetitionOf(request);
    secretsIn(said).forEach((name) => repeated.add(name));
    // As MLflow, S3 and others do it.
    const isMlflow = url.startsWith('/api/');
    const isS3 = request.headers['x-amz-date'] !== undefined;
    const escaped = said.replaceAll('&', '&amp;');
    const body = isMlflow
      ? JSON.stringify({ error_code: 'PERMISSION_DENIED', message: said }).replaceAll('/', '\\/')
      : isS3
        ? `<Error><Code>AccessDenied</Code><Message>${escaped}</Message></Error>`
        : said;
    response.writeHead(403, { 'content-type': 'text/plain' }).end(body);
  }
}

function repetitionOf({ method, url = '', headers }: IncomingMessage): string {
  const { authorization = '', 'x-amz-security-token': session = '' } = headers;
  const [, basic = ''] = /^Basic (.*)/.exec(authorization) ?? [];
  const pair = Buffer.from(basic, 'base64').toString();
  const token = authorization.replace(/^\w+ /, '');
  // The value before the header: with a header's name in front it is hidden whatever it is.
  return `no ${session.toString()} ${pair} ${encodeURIComponent(pair)} ${token} ${method} ${url} ${decodeURIComponent(url)}`;
}

interface Campaign {
  readonly name: string;
  readonly uri: () => string;
  readonly env?: () => Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  readonly isWell?: true;
  /** Once more without JSON: the text goes other ways. */
  readonly isAlsoPlain?: true;
}

const FORMS = ['json', 'text'] as const;
type Form = (typeof FORMS)[number];

const host = (): string => origin.replace('http://', '');
const aws = (): Record<string, string> => ({
  AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE',
  AWS_SECRET_ACCESS_KEY: SECRETS.awsKey,
  AWS_SESSION_TOKEN: SECRETS.awsSession,
  AWS_ENDPOINT_URL_S3: origin,
  AWS_REGION: 'us-east-1',
});
const PRESIGNED = `X-Amz-Credential=AKIAEXAMPLE&X-Amz-Signature=${SECRETS.signature}`;

const CAMPAIGN: readonly Campaign[] = [
  {
    name: 'userinfo',
    uri: () => `http://me:${encodeURIComponent(SECRETS.password)}@${host()}/ok.bin`,
    isWell: true,
  },
  {
    name: 'wrong-userinfo',
    isAlsoPlain: true,
    uri: () => `http://me:${encodeURIComponent(SECRETS.password)}@${host()}/no.bin`,
  },
  { name: 'presigned', uri: () => `${origin}/ok.bin?${PRESIGNED}`, isWell: true },
  { name: 'expired', uri: () => `${origin}/no.bin?${PRESIGNED}` },
  {
    name: 'sas',
    uri: () => `${origin}/no.bin?sv=2024&se=2030&sig=${encodeURIComponent(SECRETS.sas)}`,
  },
  {
    name: 'token',
    uri: () => `${origin}/ok2.bin`,
    env: () => ({ WAYBILL_HTTP_TOKEN: SECRETS.httpToken }),
    isWell: true,
  },
  {
    name: 'wrong-token',
    isAlsoPlain: true,
    uri: () => `${origin}/no.bin`,
    env: () => ({ WAYBILL_HTTP_TOKEN: SECRETS.httpToken }),
  },
  {
    name: 'away',
    uri: () => `${origin}/away`,
    env: () => ({ WAYBILL_HTTP_TOKEN: SECRETS.httpToken }),
  },
  {
    name: 'no-host',
    uri: () =>
      `http://me:${encodeURIComponent(SECRETS.password)}@no-such-host.invalid/x?token=${SECRETS.inLocation}`,
    flags: ['--give-up-after', '1s'],
  },
  {
    name: 'mlflow-token',
    isAlsoPlain: true,
    uri: () => 'models:/churn/1',
    env: () => ({ MLFLOW_TRACKING_URI: origin, MLFLOW_TRACKING_TOKEN: SECRETS.mlflowToken }),
  },
  {
    name: 'mlflow-password',
    isAlsoPlain: true,
    uri: () => `runs:/${'0'.repeat(32)}/model`,
    env: () => ({
      MLFLOW_TRACKING_URI: origin,
      MLFLOW_TRACKING_USERNAME: 'me',
      MLFLOW_TRACKING_PASSWORD: SECRETS.mlflowPassword,
    }),
  },
  {
    name: 'mlflow-userinfo',
    uri: () => 'models:/churn/1',
    env: () => ({
      MLFLOW_TRACKING_URI: `http://me:${encodeURIComponent(SECRETS.mlflowPassword)}@${host()}`,
    }),
  },
  { name: 'aws-keys', isAlsoPlain: true, uri: () => 's3://bucket/x', env: aws },
  {
    name: 'connection',
    uri: () => `${origin}/ok3.bin`,
    flags: ['--connection', 'filed'],
    env: () => ({ XDG_CONFIG_HOME: bed.dir }),
    isWell: true,
  },
];

beforeAll(async () => {
  server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  bed = openWaybill();
  mkdirSync(join(bed.dir, 'waybill'));
  writeFileSync(join(bed.dir, 'secret'), SECRETS.fromFile);
  const connection = '[connections.filed]\ntype = "http"\nhttp_token_file = "../secret"\n';
  writeFileSync(join(bed.dir, 'waybill', 'waybill.toml'), connection);
  const asked = CAMPAIGN.flatMap((one) =>
    (one.isAlsoPlain ? FORMS : (['json'] as const)).map((form) => ({ ...one, form })),
  );
  // The first one starts the service; then two at once.
  for (let at = 0; at < asked.length; at += at === 0 ? 1 : 2) {
    await Promise.all(asked.slice(at, at === 0 ? 1 : at + 2).map(pull));
  }
}, 300_000);

async function pull({ name, uri, env, flags = [], form }: Campaign & { readonly form: Form }) {
  const json = form === 'json' ? ['--json'] : [];
  const words = ['pull', uri(), `out/${name}-${form}`, ...json, '--debug', ...flags];
  const running = bed.start(words, { env: env?.() ?? {} });
  typed.add(running.pid);
  runs.push({ name: `${name}-${form}`, run: await running.done });
}

afterAll(async () => {
  await bed.close();
  server.close();
});

/** Names of the secrets, as they are and in the forms that they take on the way. */
function secretsIn(text: string): string[] {
  return Object.entries(SECRETS)
    .filter(([, secret]) => {
      const encoded = encodeURIComponent(secret);
      const base64 = ['me:', ''].map((user) =>
        Buffer.from(user + secret)
          .toString('base64')
          .replace(/=+$/, ''),
      );
      const forms = [secret, encoded, encoded.toLowerCase(), secret.replaceAll('/', '\\/')];
      return [...forms, ...base64].some((form) => text.includes(form));
    })
    .map(([name]) => name);
}

const record = (): ServiceRecord | undefined =>
  readServiceRecord(serviceFiles(bed.stateDir).record);

function changedSince(file: string, timeMs: number): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= timeMs;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

describe('rules 2 and 3: after pulls with secrets of every kind, good and bad', () => {
  it('each ended as it should, so that there was something to leak', () => {
    const outcome = (name: string): number | undefined =>
      runs.find((one) => one.name === `${name}-json`)?.run.exitCode;
    for (const { name, isWell } of CAMPAIGN) {
      const exitCode = outcome(name);
      if (isWell) expect([name, exitCode]).toEqual([name, 0]);
      else expect([name, [4, 5, 12].includes(exitCode ?? -1)]).toEqual([name, true]);
    }
    const { awsKey: _neverSent, fromFile: _accepted, ...sent } = SECRETS;
    expect([...repeated].sort()).toEqual(Object.keys(sent).sort());
  });

  it('what the server said is shown without them', () => {
    const said = (name: string): string => runs.find((one) => one.name === name)?.run.stderr ?? '';
    expect(said('wrong-token-text')).toMatch(/forbids it \(HTTP 403\): no \*\*\* GET \/no.bin/);
    expect(said('aws-keys-text')).toMatch(/AccessDenied: no \*\*\* .*GET \/bucket/);
    expect(said('mlflow-token-text')).toMatch(/no +\*\*\* GET \/api\/2.0\/mlflow/);
  });

  it('no process had one among its arguments, but for the command that was typed', () => {
    expect([...commandLines.others]).toEqual([]);
    expect([...commandLines.own]).toContain('password');
  });

  it('no command shows one: on stdout or stderr, with --json and --debug', () => {
    for (const { name, run } of runs) {
      expect([name, secretsIn(run.stdout), secretsIn(run.stderr)]).toEqual([name, [], []]);
    }
  });

  it('no file of the state folder holds one: database, its log, logs, records', () => {
    const files = filesBelow(bed.stateDir);
    expect(files.some((file) => /\.db-wal$/.test(file))).toBe(true);
    for (const file of files) {
      expect([file, secretsIn(readFileSync(file, 'latin1'))]).toEqual([file, []]);
    }
  });

  it('no file of the cache folder that was written meanwhile holds one', async () => {
    const shown = await bed.run(['config', 'show', '--json']);
    const { cacheDir } = shown.result as { cacheDir?: string };
    expect(typeof cacheDir).toBe('string');
    const files = filesBelow(cacheDir ?? '').filter((file) => changedSince(file, startedAtMs));
    for (const file of files) {
      expect([file, secretsIn(readFileSync(file, 'latin1'))]).toEqual([file, []]);
    }
  });

  it('no file at a destination holds one: receipts, manifests, requests', () => {
    const files = filesBelow(join(bed.dir, 'out'));
    expect(files.some((file) => file.endsWith('receipt.json'))).toBe(true);
    for (const file of files) {
      expect([file, secretsIn(readFileSync(file, 'latin1'))]).toEqual([file, []]);
    }
  });

  it('no history holds one, and every pull is there', async () => {
    const connection = await Connection.connect({ address: record()?.address ?? '' });
    const client = new Client({ connection });
    let histories = 0;
    for await (const { workflowId, runId } of client.workflow.list()) {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      const texts = (history.events ?? []).flatMap(textsIn).join('\n');
      expect(texts).toContain('waybill-transfer');
      expect([workflowId, secretsIn(texts)]).toEqual([workflowId, []]);
      histories += 1;
    }
    await connection.close();
    expect(histories).toBeGreaterThanOrEqual(CAMPAIGN.length);
  });

  it('no process of the service has one among its arguments or in its environment', () => {
    const found = record();
    const processes = [found?.service, found?.temporal, found?.worker];
    for (const one of processes) {
      const about = ['cmdline', 'environ'].map((name) =>
        readFileSync(`/proc/${one?.pid}/${name}`, 'latin1'),
      );
      expect(secretsIn(about.join('\n'))).toEqual([]);
      const names = (about[1] ?? '').split('\0').map((line) => line.split('=', 1)[0] ?? '');
      const foreign = /^(AWS_|MLFLOW_|TEMPORAL_|NODE_OPTIONS|LD_|HTTPS?_PROXY|WAYBILL_)/i;
      expect(names.filter((name) => foreign.test(name))).toEqual([]);
      expect(names).toContain('PATH');
    }
  });
});

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('latin1')];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

describe('rule 2: two shells with two servers', () => {
  it('never share an answer, interleaved in one service', async () => {
    const seen: { authorization: string; url: string }[] = [];
    const shells = await Promise.all(
      ['first', 'second'].map(async (name) => {
        const own = createServer((request, response) => {
          const { authorization = '' } = request.headers;
          seen.push({ authorization, url: `${name}${request.url}` });
          const isOwn = authorization === `Bearer token-of-${name}`;
          const body = `weights of ${name}`;
          if (isOwn) response.writeHead(200, { 'content-length': body.length }).end(body);
          else response.writeHead(401).end();
        });
        own.listen(0, '127.0.0.1');
        await once(own, 'listening');
        return { name, own, port: (own.address() as AddressInfo).port };
      }),
    );
    const pulls = [0, 1, 2].flatMap((round) =>
      shells.map(async ({ name, port }) => {
        const env = { WAYBILL_HTTP_TOKEN: `token-of-${name}` };
        const out = `shells/${name}-${round}.bin`;
        const run = await bed.run(['pull', `http://127.0.0.1:${port}/model.bin`, out], { env });
        expect([name, run.exitCode]).toEqual([name, 0]);
        expect(readFileSync(join(bed.dir, out), 'utf8')).toBe(`weights of ${name}`);
      }),
    );
    await Promise.all(pulls);
    for (const { own } of shells) own.close();
    for (const { authorization, url } of seen) {
      const [, name] = /^(first|second)/.exec(url) ?? [];
      expect(authorization).toBe(`Bearer token-of-${String(name)}`);
    }
    expect(seen.length).toBeGreaterThanOrEqual(6);
  }, 120_000);
});
