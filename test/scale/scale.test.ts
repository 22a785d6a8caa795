import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';
import { LIMITS } from './limits.js';
import { countFiles, FILE_BYTES, writeManyFiles } from './many-files.js';
import { pullAndKill, resumeToEnd } from './killed-pull.js';

const FILES = 12_000;

let bed: WaybillBed;
beforeAll(() => {
  bed = openWaybill();
});
afterAll(() => bed.close());

describe('a pull of very many files', () => {
  it('rules 27, 29: is bounded in memory and histories, and counts exactly over kills of its worker and of everything', async () => {
    const source = join(bed.dir, 'source');
    const to = join(bed.dir, 'tree');
    writeManyFiles(source, FILES);
    const pull = {
      bed,
      source,
      to,
      bytes: FILES * FILE_BYTES,
      kills: [
        { at: 0.3, what: ['worker'] },
        { at: 0.6, what: ['service', 'temporal', 'worker'] },
      ] as const,
      timeoutMs: 400_000,
      say: () => undefined,
      partDone: () => countFiles(to) / FILES,
    };
    const first = await pullAndKill(pull);
    const { result, histories, ...figures } = await resumeToEnd(pull, first);
    expect(result).toMatchObject({
      ok: true,
      files: FILES,
      bytes: FILES * FILE_BYTES,
      filesFetched: FILES,
      filesFailed: 0,
    });
    expect(countFiles(to)).toBe(FILES);
    expect(figures.countsWentBack).toBe(0);
    expect(figures.workerPeakMiB).toBeLessThan(LIMITS.workerPeakMiB);
    expect(histories.maxEvents).toBeLessThan(LIMITS.maxEvents);
    expect(histories.maxBytes).toBeLessThan(LIMITS.maxBytes);
    // The figures are of something.
    expect(figures.workerPeakMiB).toBeGreaterThan(50);
    expect(histories.runs).toBeGreaterThan(1);
    const { result: after } = await bed.run(['status', to, '--json']);
    expect(after).toMatchObject({
      state: 'done',
      progress: { filesDone: FILES, filesPlanned: FILES },
    });
    expect((await bed.run(['verify', to])).exitCode).toBe(0);
  }, 480_000);
});
