/** Toxiproxy between the worker and real servers: whatever the network does, each pull ends, and ends right. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startAzurite } from '../helpers/azurite.js';
import { startMinio } from '../helpers/minio.js';
import { startMlflow } from '../helpers/mlflow.js';
import { startNginx } from '../helpers/nginx.js';
import { scratchFolder } from '../helpers/processes.js';
import { startToxiproxy, type ToxicProxy, type Toxiproxy } from '../helpers/toxiproxy.js';
import { digestsOfTree, expectedDigests, treeFiles, writeTree } from '../helpers/tree.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';

const LONG_MS = 600_000;
const MiB = 1024 * 1024;
const AT_ONCE = 3;
const FILES = treeFiles({ fileCount: 30, largeSizes: [34 * MiB, 3 * MiB], names: [] });
const DIGESTS = expectedDigests(FILES);

const slowly = (proxy: ToxicProxy): Promise<void> => proxy.add('bandwidth', { rate: 6_000 });
/** So slow that a pull cannot be over before something goes wrong, however busy the machine; then it is taken back. */
const crawling = (proxy: ToxicProxy): Promise<void> => proxy.add('bandwidth', { rate: 200 });

/** What is wrong from the first connection on. */
const TOXICS: Readonly<Record<string, (proxy: ToxicProxy) => Promise<void>>> = {
  latency: (proxy) => proxy.add('latency', { latency: 100, jitter: 90 }),
  bandwidth: slowly,
  slow_close: (proxy) => proxy.add('slow_close', { delay: 300 }),
  slicer: (proxy) =>
    proxy.add('slicer', { average_size: 9_000, size_variation: 8_000, delay: 100 }),
  limit_data: (proxy) => proxy.add('limit_data', { bytes: 4_000_000 }),
  timeout: crawling,
  reset_peer: crawling,
  down: crawling,
};

/** What goes wrong while bytes flow. Those that end connections spare some of them, as a bad network does. */
const LATE: Readonly<Record<string, (proxy: ToxicProxy) => Promise<void>>> = {
  timeout: (proxy) => proxy.add('timeout', { timeout: 200 }, 0.3),
  reset_peer: (proxy) => proxy.add('reset_peer', { timeout: 100 }, 0.3),
  down: (proxy) => proxy.setUp(false),
};

interface Source {
  readonly name: string;
  readonly port: number;
  /** The source and the environment of a pull through a proxy. */
  readonly through: (port: number) => { source: string; env?: Record<string, string> };
}

let bed: WaybillBed;
let base: string;
let toxiproxy: Toxiproxy;
const sources = new Map<string, Source>();
const runs = new Map<string, Promise<WaybillRun>>();
const stops: (() => Promise<void>)[] = [];

const MATRIX = ['nginx', 'MinIO', 'MLflow', 'Azurite'].flatMap((server) =>
  Object.keys(TOXICS).map((toxic) => ({ server, toxic, name: `${server}-${toxic}` })),
);

beforeAll(async () => {
  bed = openWaybill();
  base = scratchFolder('toxics');
  const tree = join(base, 'tree');
  await writeTree(tree, FILES);
  toxiproxy = await startToxiproxy();
  stops.push(() => toxiproxy.stop());
  const [nginx, minio, mlflow, azurite] = await Promise.all([
    startNginx({ root: tree, location: 'autoindex_exact_size on;' }),
    startMinio(),
    startMlflow(),
    startAzurite(),
  ]);
  stops.push(nginx.stop, minio.stop, mlflow.stop, azurite.stop);
  sources.set('nginx', {
    name: 'nginx',
    port: nginx.port,
    through: (port) => ({ source: `http://127.0.0.1:${port}/` }),
  });
  await minio.createBucket('models');
  await minio.putTree('models', 'churn', tree);
  sources.set('MinIO', {
    name: 'MinIO',
    port: minio.port,
    through: (port) => ({
      source: 's3://models/churn',
      env: { ...minio.env, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` },
    }),
  });
  await azurite.createContainer('models');
  await azurite.putTree('models', 'churn', tree);
  sources.set('Azurite', {
    name: 'Azurite',
    port: azurite.port,
    through: (port) => ({
      source: 'az://models/churn',
      env: {
        ...azurite.env,
        AZURE_STORAGE_SERVICE_ENDPOINT: `http://127.0.0.1:${port}/${azurite.account}`,
      },
    }),
  });
  const run = await mlflow.createRun(await mlflow.createExperiment('toxics'));
  await mlflow.putTree(run.artifactUri, 'model', tree);
  mkdirSync(join(base, 'sums'));
  const sums = [...DIGESTS].map(([path, sha256]) => `${sha256}  ${path}\n`);
  writeFileSync(join(base, 'sums/SHA256SUMS'), sums.join(''));
  await mlflow.putTree(run.artifactUri, 'lists', join(base, 'sums'));
  sources.set('MLflow', {
    name: 'MLflow',
    port: Number(new URL(mlflow.uri).port),
    through: (port) => ({
      source: `runs:/${run.runId}/model`,
      env: { MLFLOW_TRACKING_URI: `http://127.0.0.1:${port}` },
    }),
  });
  await bed.run(['up']);
  const waiting = [...MATRIX];
  const lane = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const pulling = pull(one.server, one.toxic);
      runs.set(one.name, pulling);
      await pulling.catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  for (const stop of stops.reverse()) await stop();
  rmSync(base, { recursive: true, force: true });
}, LONG_MS);

const folderOf = (name: string): string => join(bed.dir, name);

async function pull(server: string, toxic: string): Promise<WaybillRun> {
  const found = sources.get(server);
  if (found === undefined) throw new Error(`no ${server}`);
  const proxy = await toxiproxy.before(found.port);
  await TOXICS[toxic]?.(proxy);
  const { source, env = {} } = found.through(proxy.port);
  const args = ['pull', source, folderOf(`${server}-${toxic}`), '--json'];
  const running = bed.start(args, { env });
  if (LATE[toxic] === undefined) return running.done;
  // Told at once; a line of progress comes every few seconds, and a quick pull is over by then.
  await running.untilOutput(/"type":"phase".*"phase":"fetching"/u);
  await LATE[toxic](proxy);
  if (toxic === 'down') {
    // Nobody listens until the pull has noticed; then it goes on by itself.
    await running.untilOutput(/refuses connections|"retries":[1-9]|"type":"retry"|blocked/u);
    await proxy.setUp(true);
  }
  await proxy.remove('bandwidth');
  return running.done;
}

describe('rules 11, 12 and 16: a network that misbehaves', () => {
  it.each(MATRIX)('$toxic before $server', async ({ name }) => {
    const run = await runs.get(name);
    expect({ exitCode: run?.exitCode, result: run?.result }).toMatchObject({
      exitCode: 0,
      result: { ok: true, code: null, filesFailed: 0 },
    });
    expect(await digestsOfTree(folderOf(name))).toEqual(DIGESTS);
    const checked = spawnSync('sha256sum', ['--strict', '--quiet', '-c', '.waybill/SHA256SUMS'], {
      cwd: folderOf(name),
    });
    expect(checked.status).toBe(0);
  });
});

it('--expect reads a list that lies in another place of MLflow', async () => {
  const mlflow = sources.get('MLflow');
  const { source = '', env = {} } = mlflow?.through(mlflow.port) ?? {};
  const list = source.replace(/model$/u, 'lists/SHA256SUMS');
  const args = ['pull', source, folderOf('expected'), '--expect', list, '--require', 'digest'];
  const run = await bed.run([...args, '--json'], { env });
  expect({ exitCode: run.exitCode, result: run.result }).toMatchObject({
    exitCode: 0,
    result: { levels: { digest: FILES.length } },
  });
});
