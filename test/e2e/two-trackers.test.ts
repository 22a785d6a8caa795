/** Two shells with two real MLflow servers, which have a model of the same name each; one server wants a password. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ADMIN, basicAuth } from '../helpers/mlflow-auth.js';
import { startMlflow, type Mlflow } from '../helpers/mlflow.js';
import { partsInPlace } from '../helpers/parts-in-place.js';
import { freePort } from '../helpers/ports.js';
import { scratchFolder } from '../helpers/processes.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';

const LONG_MS = 400_000;
const SOURCE = 'models:/churn@champion';
const MiB = 1024 * 1024;
/** So many that the last ones come long after the first, however busy the machine. */
const MANY = 20;

let bed: WaybillBed;
let open: Mlflow;
let guarded: Mlflow;
/** A run at the guarded server. */
let many: string;

beforeAll(async () => {
  bed = openWaybill();
  const place = { dir: scratchFolder('guarded'), port: await freePort() };
  [open, guarded] = await Promise.all([startMlflow(), startMlflow(place)]);
  await Promise.all([fill(open, 'open'), fill(guarded, 'guarded'), fillMany(guarded)]);
  // From now on it wants a password.
  await guarded.stop();
  guarded = await startMlflow({ ...place, ...(await basicAuth()) });
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  await Promise.all([open, guarded].map((server) => server.stop()));
}, LONG_MS);

async function fill(mlflow: Mlflow, name: string): Promise<void> {
  const folder = join(bed.dir, `trained-${name}`);
  mkdirSync(folder);
  writeFileSync(join(folder, 'name.txt'), name);
  writeFileSync(join(folder, 'weights.bin'), Buffer.alloc(4 * MiB, name));
  const run = await mlflow.createRun(await mlflow.createExperiment('churn'));
  await mlflow.putTree(run.artifactUri, 'model', folder);
  const version = await mlflow.registerModel('churn', `${run.artifactUri}/model`, run.runId);
  await mlflow.setAlias('churn', 'champion', version);
}

/** A tree of which one file comes after the other. */
async function fillMany(mlflow: Mlflow): Promise<void> {
  const folder = join(bed.dir, 'trained-many');
  mkdirSync(folder);
  for (let index = 0; index < MANY; index += 1) {
    writeFileSync(join(folder, `part-${index}.bin`), Buffer.alloc(MiB, String(index)));
  }
  const run = await mlflow.createRun(await mlflow.createExperiment('many'));
  await mlflow.putTree(run.artifactUri, 'model', folder);
  many = `runs:/${run.runId}/model`;
}

async function setPassword(password: string, before: string): Promise<void> {
  const { MLFLOW_TRACKING_USERNAME: username } = ADMIN;
  const basic = Buffer.from(`${username}:${before}`).toString('base64');
  const { ok, status } = await fetch(`${guarded.uri}/api/2.0/mlflow/users/update-password`, {
    method: 'PATCH',
    headers: { authorization: `Basic ${basic}`, 'content-type': 'application/json' },
    body: JSON.stringify({ username, password, current_password: before }),
  });
  expect([ok, status]).toEqual([true, 200]);
}

const SHELLS = {
  open: () => ({ MLFLOW_TRACKING_URI: open.uri }),
  guarded: () => ({ MLFLOW_TRACKING_URI: guarded.uri, ...ADMIN }),
} as const;

type Shell = keyof typeof SHELLS;

function pull(shell: Shell, to: string, ...more: string[]): Promise<WaybillRun> {
  const args = ['pull', SOURCE, join(bed.dir, to), '--json', ...more];
  return bed.run(args, { env: SHELLS[shell]() });
}

function expectWhole(shell: Shell, to: string): void {
  expect(readFileSync(join(bed.dir, to, 'name.txt'), 'utf8')).toBe(shell);
  const expected = Buffer.alloc(4 * MiB, shell);
  expect(readFileSync(join(bed.dir, to, 'weights.bin')).equals(expected)).toBe(true);
}

describe('rule 2: two shells with two MLflow servers', () => {
  it(
    'each get their own model of the same name, at the same time, from one service',
    async () => {
      const asked = [0, 1, 2].flatMap((round) =>
        (['open', 'guarded'] as const).map(async (shell) => {
          const run = await pull(shell, `${shell}-${round}`);
          expect([shell, run.exitCode]).toEqual([shell, 0]);
          expectWhole(shell, `${shell}-${round}`);
        }),
      );
      await Promise.all(asked);
    },
    LONG_MS,
  );

  it(
    'a shell in the folder of a notebook gets what the notebook logged, although no server is set',
    async () => {
      const cwd = join(bed.dir, 'notebook');
      const run = 'a'.repeat(32);
      const artifacts = join(cwd, 'mlruns/7', run, 'artifacts');
      mkdirSync(join(artifacts, 'model'), { recursive: true });
      writeFileSync(join(artifacts, 'model/weights.bin'), 'trained here');
      writeFileSync(join(cwd, 'mlruns/7/meta.yaml'), "experiment_id: '7'\nname: notebook\n");
      const record = `artifact_uri: file://${artifacts}\nexperiment_id: '7'\nrun_id: ${run}\nrun_name: night\nstatus: 3\n`;
      writeFileSync(join(cwd, 'mlruns/7', run, 'meta.yaml'), record);
      const pulled = await bed.run(['pull', `runs:/${run}/model`, 'out', '--json'], { cwd });
      expect(pulled).toMatchObject({ exitCode: 0, result: { ok: true } });
      expect(readFileSync(join(cwd, 'out/weights.bin'), 'utf8')).toBe('trained here');
      const { source } = JSON.parse(
        readFileSync(join(cwd, 'out/.waybill/receipt.json'), 'utf8'),
      ) as {
        source: { transport: string };
      };
      expect(source.transport).toBe(`direct (no server: the folder ${cwd}/mlruns is read here)`);
      const listed = await bed.run(['ls', 'runs:/?experiment=notebook'], { cwd });
      expect(listed.stdout).toContain('night, FINISHED');
      const models = ['ls', 'runs:/?experiment=notebook', '--models-only'];
      expect(await bed.run(models, { cwd })).toMatchObject({ exitCode: 0, stdout: '' });
      const wrong = await bed.run(['ls', 'models:/', '--models-only'], { cwd });
      expect([wrong.exitCode, wrong.stderr]).toEqual([
        2,
        expect.stringContaining('runs:/?experiment='),
      ]);
    },
    LONG_MS,
  );

  it(
    'a shell without the password of its server is not helped by that of the other shell',
    async () => {
      const env = { MLFLOW_TRACKING_URI: guarded.uri };
      const args = ['pull', SOURCE, join(bed.dir, 'nobody'), '--json'];
      const { exitCode, result } = await bed.run(args, { env });
      expect([exitCode, result['code']]).toEqual([5, 'WB_UNAUTHENTICATED']);
    },
    LONG_MS,
  );

  it(
    'when the service is gone in the middle, the pull waits for its password, and the next command with it goes on',
    async () => {
      const started = await pull('guarded', 'cut', '--detach', '--max-bandwidth', '32KiB/s');
      expect(started.exitCode).toBe(0);
      await untilStatus((text) => /"bytesDone":[1-9]/.test(text));
      const { result } = await bed.run(['doctor', '--json']);
      const { service } = result['processes'] as { service: number };
      process.kill(service, 'SIGKILL');
      // Another shell of the same user starts the service anew, and has no password to give.
      const other = await pull('open', 'meanwhile');
      expect(other.exitCode).toBe(0);
      await untilStatus((text) => /credentials/.test(text));
      const again = await pull('guarded', 'cut', '--max-bandwidth', '1GiB/s');
      expect(again).toMatchObject({ exitCode: 0, result: { ok: true } });
      expectWhole('guarded', 'cut');
      expectWhole('open', 'meanwhile');
      expect(bed.stateText()).not.toContain(ADMIN.MLFLOW_TRACKING_PASSWORD);
    },
    LONG_MS,
  );

  it(
    'a password that is changed in the middle blocks the pull; a command with the new one goes on',
    async () => {
      const to = join(bed.dir, 'changed');
      const slowly = ['--concurrency', '1', '--max-bandwidth', '512KiB/s'];
      const pulling = bed.start(['pull', many, to, ...slowly], { env: SHELLS.guarded() });
      while (partsInPlace(to) === 0) await sleep(50);
      const changed = 'another-correct-horse-battery';
      await setPassword(changed, ADMIN.MLFLOW_TRACKING_PASSWORD);
      await pulling.untilOutput(/blocked.*(sign|401|password)/u);
      const env = { ...SHELLS.guarded(), MLFLOW_TRACKING_PASSWORD: changed };
      const again = await bed.run(['pull', many, to, '--json'], { env });
      expect(again).toMatchObject({ exitCode: 0, result: { files: MANY, filesFailed: 0 } });
      expect(readdirSync(to).filter((name) => name.startsWith('part-'))).toHaveLength(MANY);
      expect(await bed.run(['verify', to])).toMatchObject({ exitCode: 0 });
      await pulling.done;
      expect(bed.stateText()).not.toContain(changed);
    },
    LONG_MS,
  );

  async function untilStatus(isThere: (status: string) => boolean): Promise<void> {
    for (;;) {
      const { stdout } = await bed.run(['status', join(bed.dir, 'cut'), '--json']);
      if (isThere(stdout)) return;
      expect(stdout).not.toContain('"state":"done"');
      await sleep(200);
    }
  }
});
