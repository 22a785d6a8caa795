/** Somebody swaps a folder of the destination for a link that leads out, again and again, while a pull publishes into it. */
import { mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { put, ThereBed, type Files } from '../helpers/there.js';

const LONG_MS = 240_000;
const FILES = 24;
/** Rounds in which at least one file met a folder and one a link; so many show that the race was run. */
const MIXED_ROUNDS = 3;
const MAX_ROUNDS = 60;

/** Runs in a thread: a loop of system calls that waits for nobody. */
const SWAPPER = `
const { workerData: { folder, aside, outside, state } } = require('node:worker_threads');
const fs = require('node:fs');
const cell = new Int32Array(state);
const quietly = (act) => { try { act(); return true; } catch { return false; } };
while (Atomics.load(cell, 0) === 0) {
  if (!quietly(() => fs.renameSync(folder, aside))) continue;
  quietly(() => fs.symlinkSync(outside, folder));
  Atomics.add(cell, 1, 1);
  quietly(() => fs.unlinkSync(folder));
  if (!quietly(() => fs.renameSync(aside, folder))) {
    // The pull has made a new folder meanwhile: what is in the old one stays inside, beside it.
    quietly(() => fs.renameSync(aside, aside + '-' + cell[1]));
  }
}
`;

class Swapper {
  private readonly state = new SharedArrayBuffer(8);
  private readonly cell = new Int32Array(this.state);
  private readonly ended: Promise<unknown>;

  constructor(places: { folder: string; aside: string; outside: string }) {
    const worker = new Worker(SWAPPER, {
      eval: true,
      workerData: { ...places, state: this.state },
    });
    this.ended = new Promise((resolve) => worker.once('exit', resolve));
  }

  get swaps(): number {
    return Atomics.load(this.cell, 1);
  }

  async stop(): Promise<void> {
    Atomics.store(this.cell, 0, 1);
    await this.ended;
  }
}

describe('a folder that is swapped for a link that leads out', () => {
  let bed: ThereBed;

  beforeAll(async () => {
    bed = await ThereBed.open('swapped');
  });
  afterAll(() => bed.close());

  it(
    'rule 21: while the pull publishes, in a loop: nothing is ever written outside',
    async () => {
      const names = Array.from({ length: FILES }, (_, index) => `models/f-${index}`);
      const { from } = await bed.fresh(Object.fromEntries(names.map((name) => [name, name])));
      const outside = join(bed.root, 'outside');
      await put(outside, { mine: 'untouched' });
      let mixed = 0;
      for (let round = 0; mixed < MIXED_ROUNDS && round < MAX_ROUNDS; round += 1) {
        const to = join(bed.root, `to-swapped-${round}`);
        await mkdir(join(to, 'models'), { recursive: true });
        const planned = await bed.planned(from, to);
        const folder = join(to, 'models');
        const swapper = new Swapper({ folder, aside: join(to, 'aside'), outside });
        while (swapper.swaps === 0) await new Promise((resolve) => setImmediate(resolve));
        const failed = await planned.fetch();
        await swapper.stop();
        for (const failure of failed) {
          // The last: a folder that the pull has just made was replaced by the one that came back.
          expect(failure).toMatch(/^WB_(UNSAFE_PATH|CONFLICT|DESTINATION_NOT_HERE)/);
        }
        if (failed.length > 0 && failed.length < FILES) mixed += 1;
        await planned.seal();
        expect(await readdir(outside)).toEqual(['mine']);
        expect(await readFile(join(outside, 'mine'), 'utf8')).toBe('untouched');
        await rm(to, { recursive: true });
      }
      // The race was run at all.
      expect(mixed).toBeGreaterThan(0);
    },
    LONG_MS,
  );

  it('rule 21: a link that leads out and holds files of the same names: none of them is replaced', async () => {
    const files: Files = { 'models/a': 'new', 'models/b': 'new', c: 'c' };
    const { from, to } = await bed.fresh(files);
    const outside = join(bed.root, 'theirs');
    await put(outside, { a: 'theirs', b: 'theirs' });
    const planned = await bed.planned(from, to, { ifExists: 'overwrite' });
    await symlink(outside, join(to, 'models'));
    expect(await planned.fetch()).toEqual([
      expect.stringMatching(/^WB_UNSAFE_PATH/),
      expect.stringMatching(/^WB_UNSAFE_PATH/),
    ]);
    expect(await planned.seal()).toMatchObject({ exitCode: 3, files: 1 });
    expect(await readFile(join(outside, 'a'), 'utf8')).toBe('theirs');
    expect((await readdir(outside)).sort()).toEqual(['a', 'b']);
  });
});
