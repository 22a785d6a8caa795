import { join } from 'node:path';
import { ensureTemporalCli } from '../service/temporal-cli.js';
import { freePort } from './free-port.js';
import { ensureMlflowVenv, startMlflowServer } from './mlflow-venv.js';
import type { MlflowServer } from './mlflow-venv.js';
import { findPython } from './python-venv.js';
import type { Venv } from './python-venv.js';
import { playCut } from './scene-cut.js';
import { playDamage } from './scene-damage.js';
import { playKill } from './scene-kill.js';
import { playModel } from './scene-model.js';
import { setStage } from './stage.js';
import type { DemoIo, Stage } from './stage.js';

export interface DemoOptions {
  /** Where what is fetched lies, for the next time too. */
  readonly cacheDir: string;
  readonly io: DemoIo;
  /** What may be inherited: the PATH and the like, no address and no credential. */
  readonly env: Readonly<Record<string, string>>;
  /** Ends the demo early; what it made is taken away all the same. */
  readonly signal: AbortSignal;
  /** Leaves the folder of the demo, for a look at it. */
  readonly isKept?: boolean;
  readonly temporalCli?: string | undefined;
}

/**
 * Plays four scenes, each ending in one line of proof, with a state, ports and a configuration of its own.
 * @throws what a scene could not show, or the signal's reason; the stage is struck then too
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  const { io } = options;
  const started = performance.now();
  const parts = await getParts(options);
  const stage = await setStage({ ...options, temporalCli: parts.temporalCli });
  try {
    const mlflow = parts.venv === undefined ? undefined : await openMlflow(stage, parts.venv);
    await playScenes(stage, parts.venv, mlflow);
  } finally {
    io.say('');
    io.say(options.isKept === true ? `left for a look: ${stage.dir}` : 'taking everything away');
    await stage.strike(options.isKept === true);
  }
  io.say(`done in ${Math.round((performance.now() - started) / 1000)} s`);
}

interface Parts {
  readonly temporalCli: string;
  /** Absent without Python. */
  readonly venv: Venv | undefined;
}

/** What has to be fetched is fetched side by side. */
async function getParts({ cacheDir, io, signal, temporalCli }: DemoOptions): Promise<Parts> {
  const shared = { cacheDir, signal, onProgress: (line: string) => io.say(`  ${line}`) };
  const hasPython = (await findPython(signal)) !== undefined;
  const [cli, venv] = await Promise.all([
    ensureTemporalCli({ ...shared, explicitPath: temporalCli }),
    hasPython ? ensureMlflowVenv(shared) : undefined,
  ]);
  return { temporalCli: cli.path, venv };
}

async function openMlflow(stage: Stage, venv: Venv): Promise<MlflowServer> {
  stage.io.say('starting an MLflow server of its own');
  const server = await startMlflowServer({
    venv,
    dir: join(stage.dir, 'mlflow'),
    artifacts: 'local',
    port: await freePort(),
    baseEnv: stage.env,
    signal: stage.signal,
  });
  stage.onStrike(() => server.stop());
  return server;
}

async function playScenes(
  stage: Stage,
  venv: Venv | undefined,
  mlflow: MlflowServer | undefined,
): Promise<void> {
  const { io } = stage;
  const open = (letter: string, title: string): void => {
    io.say('');
    io.say(`(${letter}) ${title}`);
  };
  open('a', 'a model from a real MLflow server, by its alias');
  if (mlflow === undefined) io.say('  left out: there is no Python 3.10 or later with venv here');
  else io.prove(`(a) ${await playModel(stage, mlflow)}`);
  open('b', '300 MiB over a slow link, and the worker is killed half-way');
  io.prove(`(b) ${await playKill(stage)}`);
  open('c', 'a server that sends half of a file and calls it whole');
  const scene = mlflow === undefined || venv === undefined ? undefined : { mlflow, ...venv };
  io.prove(`(c) ${await playCut(stage, scene)}`);
  open('d', 'one bit flips on the disk');
  io.prove(`(d) ${await playDamage(stage, mlflow === undefined ? PULLED_FILE : PULLED_MODEL)}`);
}

const SHARD = 'data/model-00003-of-00008.safetensors';
const PULLED_MODEL = { destination: 'model', path: SHARD, file: `model/${SHARD}` };
const LARGE = 'weights.safetensors';
const PULLED_FILE = { destination: `large/${LARGE}`, path: LARGE, file: `large/${LARGE}` };
