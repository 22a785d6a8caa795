import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readManifestLevels } from './proof.js';
import { keyStreamBytes } from './key-stream.js';
import { mlflowSeeder } from './mlflow-seed.js';
import type { MlflowServer } from './mlflow-venv.js';
import { runTool } from '../service/run-tool.js';
import { unproven } from './stage.js';
import type { Stage } from './stage.js';

const MiB = 1024 * 1024;
const SHARDS = 8;

/** The files of the demo's model: 13, a little more than 64 MiB. */
const FILES: readonly { readonly path: string; readonly content: string | number }[] = [
  ...Array.from({ length: SHARDS }, (_, index) => ({
    path: `data/model-0000${index + 1}-of-0000${SHARDS}.safetensors`,
    content: 8 * MiB,
  })),
  { path: 'MLmodel', content: 'flavors:\n  python_function:\n    loader_module: churn\n' },
  { path: 'requirements.txt', content: 'scikit-learn\n' },
  { path: 'data/config.json', content: '{"architectures": ["Churn"], "hidden_size": 1024}\n' },
  { path: 'data/tokenizer.json', content: 300_000 },
  { path: 'data/label map, version 1.txt', content: 'an awkward name\n' },
];

/** Scene (a): a model under an alias of a real MLflow server, sealed before it was logged. */
export async function playModel(stage: Stage, mlflow: MlflowServer): Promise<string> {
  const model = join(stage.dir, 'trained');
  await writeModel(model);
  await stage.waybill(['seal', 'trained']).then(({ exitCode }) => {
    if (exitCode !== 0) throw unproven(`sealing the model ended with ${exitCode}`);
  });
  stage.io.say('  (logged to MLflow as version 1 of "churn", under the alias "champion")');
  const seeder = mlflowSeeder(mlflow.uri);
  const run = await seeder.createRun(await seeder.createExperiment('churn'));
  await seeder.putTree(run.artifactUri, 'model', model);
  const version = await seeder.registerModel('churn', `${run.artifactUri}/model`, run.runId);
  await seeder.setAlias('churn', 'champion', version);
  const source = 'models:/churn@champion';
  const pulled = await stage.waybill(['pull', source, 'model', '--tracking-uri', mlflow.uri]);
  if (pulled.exitCode !== 0) throw unproven(`the pull ended with ${pulled.exitCode}`);
  const files = await recheck(stage, join(stage.dir, 'model'));
  const levels = await readManifestLevels(join(stage.dir, 'model'));
  const published = levels.filter((level) => level === 'published').length;
  if (published < FILES.length) throw unproven(`${published} of ${FILES.length} were published`);
  return `models:/churn@champion: ${files} files came from MLflow, sha256sum agrees on each, ${published} match what was sealed before they were logged`;
}

async function writeModel(dir: string): Promise<void> {
  for (const { path, content } of FILES) {
    const target = join(dir, path);
    await mkdir(dirname(target), { recursive: true });
    const handle = await open(target, 'w');
    const bytes = typeof content === 'string' ? content : keyStreamBytes(path, 0, content);
    await handle.writeFile(bytes);
    await handle.close();
  }
}

/** Re-checks with the tool that everybody has, and says how many files it agreed on. */
async function recheck(stage: Stage, dir: string): Promise<number> {
  const list = join('.waybill', 'SHA256SUMS');
  const check = `if command -v sha256sum >/dev/null; then exec sha256sum --strict -c "$1"; fi
exec shasum -a 256 -c "$1"`;
  stage.io.say('  $ cd model && sha256sum --strict -c .waybill/SHA256SUMS');
  const run = { command: 'sh', args: ['-c', check, 'sh', list], cwd: dir, signal: stage.signal };
  const { exitCode, output } = await runTool(run);
  const lines = (await readFile(join(dir, list), 'utf8')).trimEnd().split('\n').length;
  const agreed = output.split('\n').filter((line) => line.endsWith(': OK')).length;
  if (exitCode !== 0 || agreed !== lines) throw unproven(`sha256sum says: ${output.slice(-500)}`);
  return agreed;
}
