/** Which of several lines about one file counts, when more than one run has left a journal. */
import { mkdtempSync, readdirSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fetchedLine, Journal } from '../../src/transfer/journal.js';

const WRITER = { host: 'here', bootId: 'boot', pid: 1, startTicks: '1' };
const NAMES = ['a.journal', 'b.journal'];
const ONE = '1'.repeat(64);
const TWO = '2'.repeat(64);

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waybill-journal-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** One run brings `file.bin`; its journal gets a name of our choice. */
async function bring(planId: string, sha256: string, name: string): Promise<void> {
  const before = new Set(readdirSync(folder));
  const journal = await Journal.open(folder, WRITER, planId);
  const entry = {
    path: 'file.bin',
    sizeBytes: 5,
    sha256,
    level: 'size' as const,
    comparedDigests: [],
    attempts: 1,
  };
  await journal.addPublishing([{ kind: 'publishing', planId, entry }]);
  await journal.addFetched([fetchedLine(planId, entry, 5)]);
  await journal.close();
  const [written = ''] = readdirSync(folder).filter((found) => !before.has(found));
  renameSync(join(folder, written), join(folder, name));
}

/** What a reader of a plan is told of the file. */
async function told(planId: string): Promise<unknown> {
  const journal = await Journal.open(folder, WRITER, planId);
  try {
    expect(journal.publishing('file.bin')).toBeUndefined();
    const line = await journal.fetched('file.bin');
    return [line?.planId, line?.entry.sha256];
  } finally {
    await journal.close();
  }
}

describe('rule 15: of two lines about one file', () => {
  it.each([NAMES, NAMES.toReversed()])(
    'the later one counts, whatever the names of the files (%s, then %s)',
    async (first, second) => {
      await bring('run-1', ONE, first);
      utimesSync(join(folder, first), 1_000, 1_000);
      await bring('run-2', TWO, second);
      expect(await told('run-2')).toEqual(['run-2', TWO]);
      expect(await told('run-3')).toEqual(['run-2', TWO]);
    },
  );

  it.each([NAMES, NAMES.toReversed()])(
    'that of the plan at hand counts where the files bear the same time (%s, then %s)',
    async (first, second) => {
      await bring('run-1', ONE, first);
      await bring('run-2', TWO, second);
      for (const name of NAMES) utimesSync(join(folder, name), 1_000, 1_000);
      expect(await told('run-2')).toEqual(['run-2', TWO]);
    },
  );
});
