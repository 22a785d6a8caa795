import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TransferEngine } from '../../src/transfer/api.js';
import { sealTree } from '../../src/transfer/seal-tree.js';
import { verifyTree } from '../../src/transfer/verify.js';
import { engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';
import { startMlflow, type Mlflow } from '../helpers/mlflow.js';
import { startMinio, type Minio } from '../helpers/minio.js';
import { modelSigningRoot } from '../helpers/model-signing.js';
import { AWKWARD_NAMES_FOR_MLFLOW, treeFiles, writeTree } from '../helpers/tree.js';

const LOG = `
import sys, mlflow
with mlflow.start_run() as run:
    mlflow.log_artifacts(sys.argv[1], artifact_path="model")
client = mlflow.MlflowClient()
name = sys.argv[2]
client.create_registered_model(name)
version = client.create_model_version(name, f"runs:/{run.info.run_id}/model", run.info.run_id)
client.set_registered_model_alias(name, "champion", version.version)
print(run.info.run_id)
`;

const FILES = treeFiles({ fileCount: 60, names: AWKWARD_NAMES_FOR_MLFLOW, largeSizes: [40 << 20] });

describe.each(['the disk of the server', 'MinIO'])('a sealed model in an MLflow on %s', (where) => {
  let mlflow: Mlflow;
  let minio: Minio | undefined;
  let engine: TransferEngine;
  let root: string;

  beforeAll(async () => {
    root = await scratch('published');
    if (where === 'MinIO') minio = await startMinio();
    mlflow = await startMlflow(minio === undefined ? {} : { minio });
    engine = engineOf();
  }, 300_000);

  afterAll(async () => {
    await engine.close();
    await mlflow.stop();
    await minio?.stop();
    await rm(root, { recursive: true, force: true });
  });

  const request = (source: string, to: string): ReturnType<typeof requestOf> =>
    requestOf(source, to, { source: { uri: source, settings: mlflow.env } });

  /** Seals a tree, changes it, and logs it with MLflow's own client. */
  const publish = async (name: string, change: (dir: string) => Promise<void>): Promise<string> => {
    const dir = join(root, name);
    await writeTree(dir, FILES);
    const { treeDigest } = await sealTree(dir, { waybill: 'test' });
    await change(dir);
    await mlflow.python(LOG, [dir, name]);
    return treeDigest;
  };

  it('arrives at level published, whole, and everybody can check it', async () => {
    const treeDigest = await publish('whole', () => Promise.resolve());
    const to = join(root, 'whole-here');
    const result = await pullWith(engine, request('models:/whole@champion', to));
    expect(result).toMatchObject({ ok: true, levels: { published: FILES.length }, treeDigest });
    execFileSync('sha256sum', ['--strict', '--quiet', '-c', '.waybill/SHA256SUMS'], { cwd: to });
    expect(await verifyTree(to)).toMatchObject({ ok: true, state: 'complete' });
    expect(result.omsDigest).toBe(await modelSigningRoot(to));
  }, 300_000);

  it('rule 23: a file that was changed or lost after the seal is an integrity failure', async () => {
    await publish('damaged', async (dir) => {
      await writeFile(join(dir, FILES[3]?.path ?? ''), 'not what was sealed');
      await unlink(join(dir, FILES[4]?.path ?? ''));
    });
    const to = join(root, 'damaged-here');
    const result = await pullWith(engine, request('models:/damaged@champion', to));
    const codes = Object.fromEntries(result.failures.map(({ code, message }) => [code, message]));
    expect(result).toMatchObject({ ok: false, exitCode: 3, filesFailed: 2 });
    expect(Object.keys(codes).sort()).toEqual(['WB_DIGEST_MISMATCH', 'WB_MISSING_FILE']);
    expect(await verifyTree(to)).toMatchObject({
      ok: false,
      code: 'WB_PARTIAL',
      state: 'partial',
      counts: { changed: 0, missing: 0 },
    });
  }, 300_000);
});
