/**
 * How Waybill compares, by trying: `npm run compare`. Every tool meets the same trouble on the same real or scripted
 * servers, and a Markdown table says what it did; docs/comparison.md has the last one. It gets the tools that it lacks.
 * With `--no-op` it measures pulls that have nothing to do (no-op.ts).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCuttingProxy } from '../../src/demo/cutting-proxy.js';
import { cut, sendAll, serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { cacheFolder } from '../helpers/cache.js';
import { startMinio, type Minio } from '../helpers/minio.js';
import { startMlflow, type Mlflow } from '../helpers/mlflow.js';
import { runWaybill } from '../helpers/waybill.js';
import { compareNoOp } from './no-op.js';
import { findPeers, type Peer } from './peers.js';
import { startRelay } from './relay.js';
import { tryKill, tryOnce } from './trials.js';

const MiB = 1024 * 1024;
const NAME = 'w.bin';

/** Bytes that no compression and no accident repeats. */
function bytesOf(name: string, sizeBytes: number): Buffer {
  const pieces: Buffer[] = [];
  for (let index = 0; index * 32 < sizeBytes; index += 1) {
    pieces.push(createHash('sha256').update(`${name} ${index}`).digest());
  }
  return Buffer.concat(pieces).subarray(0, sizeBytes);
}

const OLD = bytesOf('old', 48 * MiB);
const NEW = bytesOf('new', 48 * MiB);

/** Trial to cell, in the order of the rows. */
type Column = Map<string, string>;

interface Place {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
}

async function overHttp(peer: Peer, server: CutServer, { dir, env }: Place): Promise<Column> {
  const cells: Column = new Map();
  const id = peer.name.replaceAll(/\W/gu, '');
  const paced = (body: Buffer, etag: string): void =>
    server.serve(`/${id}/${NAME}`, serveFile(body, { etag, bytesPerSecond: 16 * MiB }));
  const stage = {
    base: `${server.url}/${id}`,
    path: NAME,
    body: OLD,
    bytesServed: () => server.bytesServed(`/${id}/${NAME}`),
  };
  const short = OLD.subarray(0, MiB);
  server.serve(`/${id}/${NAME}`, cut(sendAll(short, { ETag: '"short"' }), MiB / 2));
  cells.set('body cut', await tryOnce(peer, { ...stage, body: short }, join(dir, 'short'), env));
  paced(OLD, '"old"');
  const killed = await tryKill(peer, stage, join(dir, 'kill'), env);
  cells.set('killed half-way', killed.killed);
  cells.set('run again', killed.again);
  paced(OLD, '"old"');
  const swapped = await tryKill(peer, stage, join(dir, 'swap'), env, () => {
    paced(NEW, '"new"');
    return NEW;
  });
  cells.set('replaced in between', swapped.again);
  return cells;
}

async function overS3(peer: Peer, minio: Minio, { dir, env }: Place): Promise<Column> {
  const cells: Column = new Map();
  const relay = await startRelay(minio.port, 8 * MiB);
  try {
    const stage = {
      base: relay.url,
      path: `compare/${NAME}`,
      body: OLD,
      bytesServed: relay.bytesPassed,
    };
    const own = { ...env, ...minio.env };
    relay.setFlip(2 * MiB);
    cells.set('bit flipped', await tryOnce(peer, stage, join(dir, 'flip'), own));
    relay.setFlip(undefined);
    const killed = await tryKill(peer, stage, join(dir, 'kill'), own);
    cells.set('killed half-way', killed.killed);
    cells.set('run again', killed.again);
  } finally {
    await relay.stop();
  }
  return cells;
}

async function overMlflow(peer: Peer, mlflow: Mlflow, run: string, place: Place): Promise<Column> {
  const { dir, env } = place;
  const cells: Column = new Map();
  const path = `${run}/${NAME}`;
  const half = await startCuttingProxy(mlflow.uri, NAME);
  const relay = await startRelay(Number(new URL(mlflow.uri).port), 8 * MiB);
  try {
    const short = { base: half.uri, path, body: OLD, bytesServed: () => 0 };
    cells.set('half of a file', await tryOnce(peer, short, join(dir, 'half'), env));
    const stage = { base: relay.url, path, body: OLD, bytesServed: relay.bytesPassed };
    const killed = await tryKill(peer, stage, join(dir, 'kill'), env);
    cells.set('killed half-way', killed.killed);
    cells.set('run again', killed.again);
  } finally {
    await Promise.all([half.stop(), relay.stop()]);
  }
  return cells;
}

function tableOf(title: string, columns: ReadonlyMap<string, Column>): string {
  const trials = [...new Set([...columns.values()].flatMap((column) => [...column.keys()]))];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rows = [...columns].map(([name, column]) =>
    line([`\`${name}\``, ...trials.map((trial) => column.get(trial) ?? '')]),
  );
  const rule = line(['---', ...trials.map(() => '---')]);
  return [`### ${title}`, '', line(['', ...trials]), rule, ...rows, ''].join('\n');
}

async function compare(base: string): Promise<void> {
  const peers = await findPeers();
  const state = join(base, 'state');
  const shared = {
    WAYBILL_STATE_DIR: state,
    WAYBILL_CACHE_DIR: cacheFolder(),
    WAYBILL_SERVICE: 'background',
    HOME: base,
  };
  const server = await startCutServer();
  const minio = await startMinio();
  const mlflow = await startMlflow();
  try {
    await minio.createBucket('compare');
    await minio.putObject('compare', NAME, OLD);
    const run = await mlflow.createRun(await mlflow.createExperiment('compare'));
    await mlflow.putArtifact(run.artifactUri, NAME, OLD);
    for (const protocol of ['http', 's3', 'mlflow'] as const) {
      const columns = new Map<string, Column>();
      for (const peer of peers.filter((one) => one.protocol === protocol)) {
        const place = { dir: join(base, protocol, peer.name.replaceAll(/\W/gu, '')), env: shared };
        process.stderr.write(`${protocol}: ${peer.name}\n`);
        const column =
          protocol === 'http'
            ? await overHttp(peer, server, place)
            : protocol === 's3'
              ? await overS3(peer, minio, place)
              : await overMlflow(peer, mlflow, run.runId, place);
        columns.set(peer.name, column);
      }
      process.stdout.write(`${tableOf(protocol, columns)}\n`);
    }
  } finally {
    await runWaybill(['down', '--force'], { stateDir: state });
    await Promise.all([server.stop(), minio.stop(), mlflow.stop()]);
  }
}

const base = mkdtempSync(join(tmpdir(), 'waybill-compare-'));
try {
  await (process.argv.includes('--no-op') ? compareNoOp(base) : compare(base));
} finally {
  rmSync(base, { recursive: true, force: true, maxRetries: 5 });
}
