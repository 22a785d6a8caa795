import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KeptCounts } from '../../src/client/kept-counts.js';
import { emptyProgress, Ratchet } from '../../src/client/ratchet.js';
import type { PullProgress } from '../../src/model/pull.js';
import { scratchFolder } from '../helpers/processes.js';

const RUN = '0193b2f4-run';
const progress = (changes: Partial<PullProgress>): PullProgress => ({
  ...emptyProgress('2026-01-01T00:00:00.000Z'),
  phase: 'fetching',
  filesPlanned: 100,
  bytesPlanned: 1_000,
  isPlanComplete: true,
  ...changes,
});

let dir: string;
let folder: string;
beforeEach(() => {
  dir = scratchFolder('ratchet');
  folder = join(dir, 'counts');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A ratchet as each command has one of its own. */
const open = (): Ratchet => new Ratchet(new KeptCounts(folder));

describe('counts that never go back', () => {
  it('hold within a client', () => {
    const ratchet = new Ratchet();
    ratchet.raise(RUN, progress({ filesDone: 60, bytesDone: 600 }));
    const next = ratchet.raise(RUN, progress({ filesDone: 58, bytesDone: 610 }));
    expect(next).toMatchObject({ filesDone: 60, bytesDone: 610 });
  });

  it('hold from one command to the next, and beside each other', () => {
    const [watching, looking] = [open(), open()];
    watching.raise(RUN, progress({ filesDone: 60, bytesDone: 600 }));
    const seen = looking.raise(RUN, progress({ filesDone: 52, bytesDone: 620, phase: 'paused' }));
    expect(seen).toMatchObject({ filesDone: 60, bytesDone: 620, phase: 'paused' });
    expect(watching.raise(RUN, progress({ filesDone: 59 }))).toMatchObject({
      filesDone: 60,
      bytesDone: 620,
    });
    expect(open().raise('another run', progress({ filesDone: 1 })).filesDone).toBe(1);
  });

  it('are those of the result once it has ended, and nothing is left behind', () => {
    open().raise(RUN, progress({ filesDone: 60 }));
    expect(open().end(RUN, progress({ filesDone: 55, phase: 'done' })).filesDone).toBe(55);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('begin anew where what was kept is damaged or cannot be kept', () => {
    open().raise(RUN, progress({ filesDone: 60 }));
    writeFileSync(join(folder, `${RUN}.json`), '{"filesDone":');
    expect(open().raise(RUN, progress({ filesDone: 7 })).filesDone).toBe(7);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'a file in the place of the folder');
    expect(open().raise(RUN, progress({ filesDone: 8 })).filesDone).toBe(8);
    expect(existsSync(folder)).toBe(true);
  });
});
