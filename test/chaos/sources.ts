/** The trees of the kill campaign, on every store it pulls from: real servers, each behind a gate. */
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { startMinio } from '../helpers/minio.js';
import { startMlflow } from '../helpers/mlflow.js';
import { startNginx } from '../helpers/nginx.js';
import {
  AWKWARD_NAMES_FOR_MLFLOW,
  expectedDigests,
  treeFiles,
  writeTree,
  type TreeFile,
} from '../helpers/tree.js';
import { startGate, type Gate } from './gate.js';

/** Where a round pulls from. */
export const STORES = ['http', 's3', 'mlflow', 'local'] as const;
export type StoreName = (typeof STORES)[number];

/** What a round pulls. */
export const KINDS = ['few', 'packs', 'large', 'mixed'] as const;
export type TreeKind = (typeof KINDS)[number];

/** A tree and the digests that a pull of it must end with. */
export interface Tree {
  readonly files: readonly TreeFile[];
  readonly digests: ReadonlyMap<string, string>;
  readonly bytes: number;
}

/** A source, as a command gets it. */
export interface Source {
  readonly uri: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Sources {
  readonly trees: Readonly<Record<TreeKind, Tree>>;
  /** The source of a tree. `round` makes the address of HTTP unique, so that its bytes can be told apart. */
  sourceOf(store: StoreName, kind: TreeKind, round: number): Source;
  /** The gates of all stores that have one. */
  readonly gates: readonly Gate[];
  stop(): Promise<void>;
}

const MiB = 1024 * 1024;
const plain = (count: number, largeSizes: readonly number[] = []): readonly TreeFile[] =>
  treeFiles({ fileCount: count, largeSizes, names: [] });

/** An index page of nginx leaves names out that start with a dot. */
const NAMES = AWKWARD_NAMES_FOR_MLFLOW.filter((name) => !name.startsWith('.'));

/** `large` and `mixed` hold a file of several parts; `packs` is more than one pack and no activity for each file. */
const TREES: Readonly<Record<TreeKind, readonly TreeFile[]>> = {
  few: treeFiles({ fileCount: 40, names: NAMES }).slice(0, 14),
  packs: plain(330),
  large: plain(1, [36 * MiB + 4_097]),
  mixed: plain(12, [33 * MiB + 1, 3 * MiB]),
};

/** Starts the servers of the stores asked for and fills them. */
export async function startSources(base: string, stores: readonly StoreName[]): Promise<Sources> {
  const roots = {} as Record<TreeKind, string>;
  const trees = {} as Record<TreeKind, Tree>;
  for (const kind of KINDS) {
    roots[kind] = join(base, 'trees', kind);
    await writeTree(roots[kind], TREES[kind]);
    const bytes = TREES[kind].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    trees[kind] = { files: TREES[kind], digests: expectedDigests(TREES[kind]), bytes };
  }
  const open: Partial<Record<StoreName, (kind: TreeKind, round: number) => Source>> = {};
  const gates: Gate[] = [];
  const stops: (() => Promise<void>)[] = [];
  const guard = async (port: number): Promise<Gate> => {
    const gate = await startGate(port);
    gates.push(gate);
    stops.unshift(() => gate.stop());
    return gate;
  };
  open.local = (kind) => ({ uri: roots[kind], env: {} });
  if (stores.includes('http')) {
    const served = join(base, 'served');
    mkdirSync(served);
    const nginx = await startNginx({ root: served, location: 'limit_rate 24m;' });
    stops.unshift(() => nginx.stop());
    const gate = await guard(nginx.port);
    open.http = (kind, round) => {
      // One more name for the same tree.
      rmSync(join(served, `round-${round}`), { force: true });
      symlinkSync(roots[kind], join(served, `round-${round}`));
      return { uri: `http://127.0.0.1:${gate.port}/round-${round}/`, env: {} };
    };
  }
  if (stores.includes('s3')) {
    const minio = await startMinio();
    stops.unshift(() => minio.stop());
    await minio.createBucket('chaos');
    for (const kind of KINDS) await minio.putTree('chaos', kind, roots[kind]);
    const gate = await guard(minio.port);
    const env = { ...minio.env, AWS_ENDPOINT_URL: `http://127.0.0.1:${gate.port}` };
    open.s3 = (kind) => ({ uri: `s3://chaos/${kind}/`, env });
  }
  if (stores.includes('mlflow')) {
    const mlflow = await startMlflow();
    stops.unshift(() => mlflow.stop());
    const experiment = await mlflow.createExperiment('chaos');
    const run = await mlflow.createRun(experiment);
    for (const kind of KINDS) await mlflow.putTree(run.artifactUri, kind, roots[kind]);
    const gate = await guard(Number(new URL(mlflow.env['MLFLOW_TRACKING_URI'] ?? '').port));
    const env = { MLFLOW_TRACKING_URI: `http://127.0.0.1:${gate.port}` };
    open.mlflow = (kind) => ({ uri: `runs:/${run.runId}/${kind}`, env });
  }
  return {
    trees,
    gates,
    sourceOf: (store, kind, round) => {
      const source = open[store];
      if (source === undefined) throw new Error(`no server for ${store} was started`);
      return source(kind, round);
    },
    stop: async () => {
      for (const stop of stops) await stop();
    },
  };
}
