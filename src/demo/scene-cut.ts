import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from '../service/run-tool.js';
import { startCuttingProxy } from './cutting-proxy.js';
import type { CuttingProxy } from './cutting-proxy.js';
import { mlflowSeeder } from './mlflow-seed.js';
import type { MlflowServer } from './mlflow-venv.js';
import { exists } from './proof.js';
import { startShortServer } from './short-server.js';
import { unproven } from './stage.js';
import type { Stage } from './stage.js';

const FILE_NAME = 'weights.bin';
const SIZE_BYTES = 100;

export interface CutScene {
  readonly mlflow: MlflowServer;
  /** The Python that has MLflow. */
  readonly python: string;
}

/** Scene (c): a server that sends half of a file; MLflow's own client calls it a success, Waybill does not. */
export async function playCut(stage: Stage, scene: CutScene | undefined): Promise<string> {
  if (scene === undefined) return playCutWithoutPython(stage);
  const seeder = mlflowSeeder(scene.mlflow.uri);
  const run = await seeder.createRun(await seeder.createExperiment('cut'));
  await seeder.putArtifact(run.artifactUri, `cut/${FILE_NAME}`, Buffer.alloc(SIZE_BYTES, 'w'));
  const proxy = await startCuttingProxy(scene.mlflow.uri, FILE_NAME);
  stage.onStrike(() => proxy.stop());
  const kept = await pullWithMlflow(stage, scene.python, proxy, run.runId);
  const source = `runs:/${run.runId}/cut`;
  const refused = await stage.waybill(['pull', source, 'cut', '--tracking-uri', proxy.uri]);
  await requireRefusal(stage, refused.exitCode);
  return (
    `half a file: mlflow artifacts download exits 0 with ${kept} of ${SIZE_BYTES} bytes, ` +
    `waybill refuses it with exit ${refused.exitCode} and leaves nothing under the name`
  );
}

async function pullWithMlflow(
  stage: Stage,
  python: string,
  proxy: CuttingProxy,
  runId: string,
): Promise<number> {
  const out = join(stage.dir, 'cut-by-mlflow');
  const args = ['artifacts', 'download', '-r', runId, '-a', 'cut', '-d', out];
  stage.io.say(`  $ mlflow ${args.slice(0, 6).join(' ')} -d cut-by-mlflow`);
  const { exitCode, output } = await runTool({
    command: 'env',
    args: [
      ...['-i', ...Object.entries(stage.env).map(([name, value]) => `${name}=${value}`)],
      `MLFLOW_TRACKING_URI=${proxy.uri}`,
      ...[python, '-m', 'mlflow', ...args],
    ],
    cwd: stage.dir,
    signal: stage.signal,
  });
  if (exitCode !== 0) throw unproven(`mlflow refused it: ${output.slice(-500)}`);
  const { size } = await stat(join(out, 'cut', FILE_NAME));
  stage.io.say(`    exit 0, ${size} of ${SIZE_BYTES} bytes`);
  return size;
}

async function playCutWithoutPython(stage: Stage): Promise<string> {
  stage.io.say('  (without Python, what MLflow makes of it is left out)');
  const server = await startShortServer(FILE_NAME, SIZE_BYTES);
  stage.onStrike(() => server.stop());
  const refused = await stage.waybill(['pull', server.url, `cut/${FILE_NAME}`]);
  await requireRefusal(stage, refused.exitCode);
  return `half a file: waybill refuses it with exit ${refused.exitCode} and leaves nothing under the name`;
}

async function requireRefusal(stage: Stage, exitCode: number): Promise<void> {
  if (exitCode === 0) throw unproven('the half file was accepted');
  for (const path of [`cut/${FILE_NAME}`, 'cut/.waybill/receipt.json']) {
    if (await exists(join(stage.dir, path))) throw unproven(`${path} is there`);
  }
}
