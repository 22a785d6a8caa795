/** Two shells with two real MLflow servers, which have a model of the same name each; one server wants a password. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ADMIN, basicAuth } from '../helpers/mlflow-auth.js';
import { startMlflow, type Mlflow } from '../helpers/mlflow.js';
import { freePort } from '../helpers/ports.js';
import { scratchFolder } from '../helpers/processes.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';

const LONG_MS = 400_000;
const SOURCE = 'models:/churn@champion';
const MiB = 1024 * 1024;

let bed: WaybillBed;
let open: Mlflow;
let guarded: Mlflow;

beforeAll(async () => {
  bed = openWaybill();
  const place = { dir: scratchFolder('guarded'), port: await freePort() };
  [open, guarded] = await Promise.all([startMlflow(), startMlflow(place)]);
  await Promise.all([fill(open, 'open'), fill(guarded, 'guarded')]);
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

  async function untilStatus(isThere: (status: string) => boolean): Promise<void> {
    for (;;) {
      const { stdout } = await bed.run(['status', join(bed.dir, 'cut'), '--json']);
      if (isThere(stdout)) return;
      expect(stdout).not.toContain('"state":"done"');
      await sleep(200);
    }
  }
});
