import { describe, expect, it } from '@jest/globals';
import { placeLines, provenLine } from '../../src/cli/progress/summary.js';
import { resultWithout } from '../../src/model/ended.js';
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
