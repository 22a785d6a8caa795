/**
 * Processes are killed with SIGKILL at random moments of a pull. It ends correct, by itself, or with the same command
 * again; nothing under a final name is ever partial; what comes twice is bounded. The seed is in every title.
 */
import { randomInt } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RECORD_BYTES } from '../../src/transfer/fetch-large.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { scratchFolder } from '../helpers/processes.js';
import { digestsOfTree, expectedDigests, writeTree, type TreeFile } from '../helpers/tree.js';
import { openWaybill, type RunningWaybill, type WaybillBed } from '../helpers/waybill.js';

const MiB = 1024 * 1024;
const KILLS = 5;
/** The most that a large file is read over: fewer where they bring nothing more. */
const STREAMS = 16;
const PACK_BYTES = 256 * 16 * 1024;
const LARGE: TreeFile = { path: 'model.safetensors', sizeBytes: 1024 * MiB };
const SMALL: readonly TreeFile[] = Array.from({ length: 5_000 }, (_, index) => ({
  path: `shard-${index % 50}/part-${index}.bin`,
  sizeBytes: 16 * 1024,
}));

/** A generator that repeats itself for a seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const SEED = Number(process.env['WAYBILL_TEST_SEED'] ?? randomInt(1_000_000));

type Victim = 'worker' | 'temporal' | 'both' | 'command';

describe(`kill -9 during a pull, seed ${SEED}`, () => {
  let base: string;
  let nginx: Nginx;
  let bed: WaybillBed;
  const random = randomOf(SEED);

  beforeAll(async () => {
    base = scratchFolder('kill');
    const served = join(base, 'served');
    mkdirSync(served);
    await writeTree(join(served, 'large'), [LARGE]);
    await writeTree(join(served, 'small'), SMALL);
    // Slow enough that five kills fall into one pull.
    nginx = await startNginx({ root: served, location: 'limit_rate 10m;' });
    bed = openWaybill(join(base, 'waybill'));
  }, 300_000);

  afterAll(async () => {
    await bed.close();
    await nginx.stop();
    rmSync(base, { recursive: true, force: true });
  }, 120_000);

  async function pids(): Promise<{ worker?: number; temporal?: number }> {
    const { result } = await bed.run(['doctor', '--json']);
    return (result as { processes?: { worker?: number; temporal?: number } }).processes ?? {};
  }

  async function kill(victim: Victim, pulling: RunningWaybill): Promise<void> {
    if (victim === 'command') {
      pulling.signal('SIGKILL');
      return;
    }
    const { worker, temporal } = await pids();
    for (const pid of victim === 'both'
      ? [worker, temporal]
      : [victim === 'worker' ? worker : temporal]) {
      if (pid === undefined) continue;
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        // It was already dead: the kill before this one is not mended yet.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  /** Every file under a final name is whole, at any moment. */
  function expectNothingPartial(to: string, files: readonly TreeFile[]): void {
    const sizes = new Map(files.map((file) => [file.path, file.sizeBytes]));
    for (const entry of listing(to))
      expect([entry.path, entry.sizeBytes]).toEqual([entry.path, sizes.get(entry.path)]);
  }

  async function campaign(
    victim: Victim,
    folder: string,
    files: readonly TreeFile[],
  ): Promise<void> {
    const to = join(bed.dir, `${folder}-${victim}`);
    const args = ['pull', `${nginx.url}/${folder}/`, to, '--json'];
    const servedBefore = nginx.bytesServed();
    let pulling = bed.start(args, { timeoutMs: 600_000 });
    let isOver = false;
    const watch = (run: RunningWaybill): void => {
      void run.done.then(
        () => (isOver = true),
        () => (isOver = true),
      );
    };
    watch(pulling);
    await pulling.untilOutput(/"progress"|"started"|"type":"result"/u);
    let kills = 0;
    for (; kills < KILLS; kills += 1) {
      await sleep(300 + random() * (folder === 'large' ? 4_000 : 1_200));
      if (isOver && victim !== 'command') break;
      await kill(victim, pulling);
      expectNothingPartial(to, files);
      if (victim === 'command') {
        await pulling.done;
        isOver = false;
        pulling = bed.start(args, { timeoutMs: 600_000 });
        watch(pulling);
      }
    }
    const run = await pulling.done;
    // The message is compared too, so that a failure shows it.
    const { ok, message } = run.result;
    expect({ exitCode: run.exitCode, ok, message }).toEqual({
      exitCode: 0,
      ok: true,
      message: null,
    });
    expect(await digestsOfTree(to)).toEqual(expectedDigests(files));
    const total = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    const twice = nginx.bytesServed() - servedBefore - total;
    // What was not recorded yet and what lay in the sockets, for each kill; pages of the index come on top.
    const perKill = STREAMS * (RECORD_BYTES + 4 * MiB) + 4 * PACK_BYTES;
    expect(twice).toBeLessThan(kills * perKill + 16 * MiB);
  }

  const victims: readonly Victim[] = ['worker', 'temporal', 'both', 'command'];
  it.each(victims)(
    'one file of 1 GiB survives the death of %s',
    (victim) => campaign(victim, 'large', [LARGE]),
    900_000,
  );
  it.each(victims)(
    '5,000 files survive the death of %s',
    (victim) => campaign(victim, 'small', SMALL),
    900_000,
  );
});

function listing(root: string): { path: string; sizeBytes: number }[] {
  let names: string[];
  try {
    names = readdirSync(root, { recursive: true }).map(String);
  } catch {
    return [];
  }
  return names
    .filter((name) => !name.startsWith('.waybill'))
    .map((path) => ({ path, stats: statSync(join(root, path)) }))
    .filter(({ stats }) => stats.isFile())
    .map(({ path, stats }) => ({ path, sizeBytes: stats.size }));
}
