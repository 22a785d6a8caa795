/** A large pull of which one shard cannot be gone on with: its history was written by other workflows. */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '../helpers/processes.js';
import { patchedBuild } from '../helpers/releases.js';
import { newRequest, QUICK, startBench, until, type Bench } from './lib/bench.js';
import { StandInEngine, workFor } from './lib/stand-in-engine.js';

const LONG_MS = 180_000;
/** More than the root runs itself. */
const UNITS = 305;

let bench: Bench;
let older: { readonly code: string };

beforeAll(async () => {
  const folder = join(scratchFolder('older'), 'build');
  mkdirSync(folder);
  await patchedBuild(folder, {
    // A step that the workflows of today do not make.
    'workflows/shard.js': (code) =>
      code
        .replace(
          "from '@temporalio/workflow';",
          "from '@temporalio/workflow';\nimport { sleep } from '@temporalio/workflow';",
        )
        .replace('await runner.run();', 'await sleep(10);\n    await runner.run();'),
  });
  older = { code: readFileSync(join(folder, 'dist/workflow-bundle.js'), 'utf8') };
  bench = await startBench();
}, LONG_MS);

afterAll(() => bench.stop(), LONG_MS);

it(
  'rule 5: a pull of more than 300 units whose shard is stuck is started again from its record, and ends whole',
  async () => {
    let isSlow = true;
    const engine: StandInEngine = new StandInEngine({
      pages: [UNITS],
      unit: (_unit, _call, context) =>
        workFor(isSlow && engine.done.size >= 20 ? 60_000 : 5, context),
    });
    const first = await bench.startWorker(engine, 'bench/older', false, undefined, older);
    const { pullId, runId } = await bench.client.startPull(newRequest(), { tuning: QUICK });
    await until('a shard is half-way', () => engine.done.size >= 20 && engine.running === 6);
    await first.stop();
    isSlow = false;
    await bench.startWorker(engine, 'bench/newer');
    await until('it is started again', () => bench.client.replaceIfStuck(pullId), 90_000);
    expect(await bench.client.result(pullId)).toMatchObject({ ok: true, files: UNITS });
    expect((await bench.client.status(pullId)).runId).not.toBe(runId);
    // Nobody is left of the old run.
    expect(await bench.client.replaceIfStuck(pullId)).toBe(false);
  },
  LONG_MS,
);
