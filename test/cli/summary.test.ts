import { describe, expect, it } from '@jest/globals';
import { failureLines, placeLines, provenLine } from '../../src/cli/progress/summary.js';
import { resultWithout } from '../../src/model/ended.js';
import type { ErrorCode } from '../../src/model/errors.js';
import { LEVELS } from '../../src/model/level.js';
import type { PullResult } from '../../src/model/pull.js';

const result = (more: Partial<PullResult>): PullResult => ({
  ...resultWithout('WB_PARTIAL', 'm', '/out', undefined),
  ok: true,
  exitCode: 0,
  ...more,
});

describe('the last line of a pull', () => {
  const choices = Array.from({ length: 2 ** LEVELS.length }, (_, bits) =>
    LEVELS.filter((_level, index) => (bits >> index) & 1),
  );

  it.each(choices)('counts what was proven, the strongest first: %j', (...levels) => {
    const counts = levels.map((level, index) => [level, 1_000 + index] as const);
    const files = counts.reduce((sum, [, count]) => sum + count, 0);
    const told = counts.map(([level, count]) => `${count.toLocaleString('en-US')} ${level}`);
    const head = `${files.toLocaleString('en-US')} files, 8.1 GB`;
    expect(provenLine(result({ files, bytes: 8.1e9, levels: Object.fromEntries(counts) }))).toBe(
      told.length === 0 ? head : `${head}: ${told.reverse().join(', ')}`,
    );
  });

  it('counts what failed too', () => {
    const some = result({ files: 1, bytes: 5, levels: { size: 1 }, filesFailed: 2_000 });
    expect(provenLine(some)).toBe('1 file, 5 B: 1 size; 2,000 failed');
  });
});

describe('what to do about a partial pull', () => {
  const partial = (...codes: readonly ErrorCode[]): string[] =>
    failureLines(
      result({
        ok: false,
        exitCode: 3,
        code: 'WB_PARTIAL',
        message: 'some files failed; the first: no',
        files: 1,
        filesFailed: codes.length,
        failures: codes.map((code, index) => ({ path: `${index}`, code, message: 'no' })),
      }),
    );

  it('is what each kind of failure wants, once', () => {
    expect(partial('WB_UNSAFE_PATH', 'WB_UNSAFE_PATH', 'WB_SOURCE_CHANGED')).toEqual([
      '3 files failed:',
      '  0: no',
      '  1: no',
      '  2: no',
      '  Rename it at the source, or leave it out with --exclude.',
      '  Run the same command again to fetch the new version.',
    ]);
  });

  it('is the same command where nothing is known of the failures', () => {
    expect(partial()).toEqual([
      'some files failed; the first: no',
      '  The same command continues with what is missing.',
    ]);
  });
});

describe('what to type after a pull', () => {
  const label = { command: 'waybill pull a b', skipsExisting: false };
  const failed = (exitCode: number, files = 0): string[] =>
    placeLines(result({ ok: false, exitCode, files }), label);

  it.each([3, 5, 6, 7, 8, 10, 12, 13])('is the same command after exit code %i', (exitCode) => {
    expect(failed(exitCode)).toEqual(['In /out; go on with: waybill pull a b']);
  });

  it.each([2, 4, 9, 11, 14])('is nothing where it would end with %i again', (exitCode) => {
    expect(failed(exitCode)).toEqual([]);
    expect(failed(exitCode, 3)).toEqual(['In /out; go on with: waybill pull a b']);
  });
});
