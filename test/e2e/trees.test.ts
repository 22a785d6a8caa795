/** Whole trees through the real command line, the real service and real servers, down to the last byte. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { cp, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeReceipt } from '../../src/manifest/receipt.js';
import { PART_BYTES } from '../../src/transfer/fetch-large.js';
import { startMinio, type Minio } from '../helpers/minio.js';
import { startMlflow } from '../helpers/mlflow.js';
import { startNginx } from '../helpers/nginx.js';
import { scratchFolder } from '../helpers/processes.js';
import {
  AWKWARD_NAMES_FOR_MLFLOW,
  digestsOfTree,
  edgeSizes,
  expectedDigests,
  treeFiles,
  writeTree,
  type TreeFile,
} from '../helpers/tree.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

const LONG_MS = 600_000;
const MiB = 1024 * 1024;

/** 2,000 files of 0 bytes to 300 MB, about 400 MB in all. */
const FULL = treeFiles({ fileCount: 2_000, largeSizes: [300_000_000, ...edgeSizes(PART_BYTES)] });

/** 300 files, for MLflow: its server answers about a hundred requests a second on a machine of its own. */
const SMALL = treeFiles({
  fileCount: 300,
  largeSizes: [40 * MiB, PART_BYTES + 1, 0, 1],
  names: AWKWARD_NAMES_FOR_MLFLOW,
});

interface Arrival {
  readonly source: string;
  readonly files: readonly TreeFile[];
  readonly env?: Readonly<Record<string, string>>;
}

let bed: WaybillBed;
let base: string;
let full: string;
let small: string;
let minio: Minio;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  bed = openWaybill();
  base = scratchFolder('trees');
  full = join(base, 'full');
  small = join(base, 'small');
  await writeTree(full, FULL);
  await writeTree(small, SMALL);
  minio = await startMinio();
  stops.push(() => minio.stop());
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  for (const stop of stops.reverse()) await stop();
  await rm(base, { recursive: true, force: true });
  await rm(minio.dir, { recursive: true, force: true });
}, LONG_MS);

function checkSums(destination: string): { status: number | null; output: string } {
  const found = spawnSync('sha256sum', ['--strict', '--quiet', '-c', '.waybill/SHA256SUMS'], {
    cwd: destination,
    encoding: 'utf8',
  });
  return { status: found.status, output: found.stdout + found.stderr };
}

/** Pulls the tree and holds it against what was made; the destination stays. */
async function arrives({ source, files, env = {} }: Arrival): Promise<string> {
  const destination = join(bed.dir, 'tree');
  await rm(destination, { recursive: true, force: true });
  const options = { env, timeoutMs: LONG_MS };
  const { exitCode, result } = await bed.run(['pull', source, destination, '--json'], options);
  expect({ exitCode, ...result }).toMatchObject({
    exitCode: 0,
    ok: true,
    destination,
    files: files.length,
    bytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    failures: [],
  });
  expect(await digestsOfTree(destination)).toEqual(expectedDigests(files));
  expect(checkSums(destination)).toEqual({ status: 0, output: '' });
  expect(await bed.run(['verify', destination, '--json'])).toMatchObject({ exitCode: 0 });
  return destination;
}

async function flipBit(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, 1_000);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await handle.write(byte, 0, 1, 1_000);
  await handle.close();
}

describe('a tree of 2,000 files, of 0 bytes to 300 MB, in deep folders, under awkward names', () => {
  it(
    'arrives from local disk, and verify finds a flipped bit, a missing and an extra file',
    async () => {
      const destination = await arrives({ source: full, files: FULL });
      await flipBit(join(destination, 'large/weights-0.safetensors'));
      await rename(join(destination, '.hidden'), join(destination, 'renamed'));
      const { exitCode, events, result } = await bed.run(['verify', destination, '--json']);
      expect({ exitCode, ...result }).toMatchObject({
        exitCode: 6,
        counts: { changed: 1, missing: 1, extra: 1 },
      });
      const findings = events
        .filter(({ type }) => type === 'finding')
        .map(({ kind, path }) => `${String(kind)} ${String(path)}`);
      expect(findings.sort()).toEqual([
        'changed large/weights-0.safetensors',
        'extra renamed',
        'missing .hidden',
      ]);
    },
    LONG_MS,
  );

  it(
    'arrives from an index of nginx, which leaves out names with a leading dot',
    async () => {
      const nginx = await startNginx({ root: full });
      stops.push(() => nginx.stop());
      const files = FULL.filter(({ path }) => !path.split('/').some((part) => part[0] === '.'));
      expect(files.length).toBe(FULL.length - 2);
      await arrives({ source: `${nginx.url}/`, files });
    },
    LONG_MS,
  );

  it(
    'arrives from nginx by the list of a sealed tree, every name of it, at level published',
    async () => {
      const sealed = join(base, 'sealed');
      const files = FULL.filter(({ path }) => !path.startsWith('large/'));
      await cp(full, sealed, {
        recursive: true,
        filter: (path) => !path.startsWith(join(full, 'large')),
      });
      expect(await bed.run(['seal', sealed, '--json'])).toMatchObject({ exitCode: 0 });
      const nginx = await startNginx({ root: sealed });
      stops.push(() => nginx.stop());
      await arrives({ source: `${nginx.url}/.waybill/SHA256SUMS`, files });
      const { result } = await bed.run(['status', join(bed.dir, 'tree'), '--json']);
      expect(result).toMatchObject({ result: { levels: { published: files.length } } });
    },
    LONG_MS,
  );

  it(
    'arrives from S3 on MinIO, whose keys cannot hold a newline',
    async () => {
      const files = FULL.filter(({ path }) => !path.includes('\n'));
      await rm(join(full, 'line\nbreak.txt'));
      await minio.createBucket('trees');
      await minio.putTree('trees', 'full tree/1', full);
      const env = minio.env;
      await arrives({ source: 's3://trees/full tree/1', files, env });
    },
    LONG_MS,
  );
});

describe('a smaller tree of 300 files of 0 bytes to 40 MiB (MLflow lists and serves slowly)', () => {
  it(
    'arrives from MLflow on its own disk, by alias',
    async () => {
      const mlflow = await startMlflow();
      stops.push(() => mlflow.stop());
      const run = await mlflow.createRun(await mlflow.createExperiment('trees'));
      await mlflow.putArtifact(run.artifactUri, 'model/first', 'makes the folder');
      const folder = run.artifactUri.replace(/^mlflow-artifacts:\/+/u, '');
      const place = join(mlflow.dir, 'artifacts', folder, 'model');
      await rm(place, { recursive: true });
      await cp(small, place, { recursive: true });
      const version = await mlflow.registerModel('tree', `${run.artifactUri}/model`, run.runId);
      await mlflow.setAlias('tree', 'champion', version);
      await arrives({ source: 'models:/tree@champion', files: SMALL, env: mlflow.env });
    },
    LONG_MS,
  );

  it.each([
    { via: 'presigned', env: {} },
    { via: 'proxied', env: { WAYBILL_MLFLOW_TRANSPORT: 'proxied' } },
  ])(
    'arrives from MLflow on MinIO, $via',
    async ({ via, env: choice }) => {
      const bucket = `mlflow-${via}`;
      const mlflow = await startMlflow({ minio, bucket });
      stops.push(() => mlflow.stop());
      const run = await mlflow.createRun(await mlflow.createExperiment('trees'));
      const folder = run.artifactUri.replace(/^mlflow-artifacts:\/+/u, '');
      await minio.putTree(bucket, `mlflow/${folder}/model`, small);
      const source = `runs:/${run.runId}/model`;
      const env = { ...mlflow.env, ...choice };
      const destination = await arrives({ source, files: SMALL, env });
      const receipt = await readFile(join(destination, '.waybill/receipt.json'), 'utf8');
      const { transport } = decodeReceipt(receipt, 'receipt.json').source;
      expect(transport).toContain(via);
    },
    LONG_MS,
  );
});
