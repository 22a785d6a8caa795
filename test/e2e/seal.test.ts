/** `waybill seal`, MLflow's own `log_artifacts`, `waybill pull`: proven to the level published, by itself. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startMlflow, type Mlflow } from '../helpers/mlflow.js';
import {
  AWKWARD_NAMES_FOR_MLFLOW,
  digestsOfTree,
  expectedDigests,
  treeFiles,
  writeTree,
} from '../helpers/tree.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

const LONG_MS = 300_000;
const FILES = treeFiles({ fileCount: 50, names: AWKWARD_NAMES_FOR_MLFLOW });

const LOG = `
import sys, mlflow
with mlflow.start_run() as run:
    mlflow.log_artifacts(sys.argv[1], artifact_path="model")
print(run.info.run_id)
`;

let bed: WaybillBed;
let mlflow: Mlflow;
let dir: string;

beforeAll(async () => {
  bed = openWaybill();
  mlflow = await startMlflow();
  dir = join(bed.dir, 'made');
  await writeTree(dir, FILES);
}, LONG_MS);

afterAll(async () => {
  await mlflow.stop();
  await bed.close();
}, LONG_MS);

async function log(): Promise<string> {
  const said = await mlflow.python(LOG, [dir]);
  return `runs:/${/^[0-9a-f]{32}$/mu.exec(said)?.[0] ?? ''}/model`;
}

describe('a model that is sealed before it is logged', () => {
  it(
    'is pulled at level published without being asked, and says so in its last line',
    async () => {
      const sealed = await bed.run(['seal', dir, '--json']);
      expect(sealed).toMatchObject({ exitCode: 0, result: { ok: true, files: FILES.length } });
      const source = await log();
      const run = await bed.run(['pull', source, 'model'], { env: mlflow.env });
      expect(run.exitCode).toBe(0);
      expect(run.stdout.trimEnd().split('\n').at(-1)).toMatch(/^50 files, .*: 50 published$/u);
      expect(await digestsOfTree(join(bed.dir, 'model'))).toEqual(expectedDigests(FILES));

      const again = ['pull', source, 'strict', '--require', 'published', '--json'];
      const strict = await bed.run(again, { env: mlflow.env });
      expect(strict).toMatchObject({ exitCode: 0 });
      expect(strict.result).toMatchObject({
        levels: { published: FILES.length },
        treeDigest: sealed.result['treeDigest'],
      });
    },
    LONG_MS,
  );

  it(
    'rule 23: a file that was changed after the seal fails with both digests, the others come: exit 3',
    async () => {
      const [first] = FILES.filter(({ sizeBytes }) => sizeBytes > 10);
      const path = first?.path ?? '';
      const good = readFileSync(join(dir, path));
      writeFileSync(join(dir, path), Buffer.alloc(good.length));
      const source = await log();
      const run = await bed.run(['pull', source, 'changed', '--json'], { env: mlflow.env });
      expect({ exitCode: run.exitCode, ...run.result }).toMatchObject({
        exitCode: 3,
        filesFailed: 1,
        failures: [{ path, code: 'WB_DIGEST_MISMATCH' }],
      });
      expect(run.stderr + run.stdout).toContain(expectedDigests(FILES).get(path));
      const verified = await bed.run(['verify', 'changed', '--json']);
      expect(verified.exitCode).not.toBe(0);
      rmSync(join(bed.dir, 'changed'), { recursive: true });
    },
    LONG_MS,
  );
});
