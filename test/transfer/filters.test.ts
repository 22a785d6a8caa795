import { describe, expect, it } from '@jest/globals';
import { filterOf } from '../../src/transfer/plan/filters.js';

const PATHS = ['a', 'a/x', 'a/b/.y', 'b/a', 'b/a/x', 'ab/x'];

const wanted = (include: readonly string[], exclude: readonly string[]): string[] =>
  PATHS.filter(filterOf({ include, exclude }));

describe('design 2: a pattern', () => {
  it.each([
    ['a', ['a', 'b/a']],
    ['a/', ['a/x', 'a/b/.y']],
    ['/a/', ['a/x', 'a/b/.y']],
    ['a/*', ['a/x']],
    ['*', PATHS],
    ['**/a/', ['a/x', 'a/b/.y', 'b/a/x']],
  ])(
    '%s takes what it says, and as --exclude all but that: a file is no folder',
    (pattern, taken) => {
      expect(wanted([pattern], [])).toEqual(taken);
      expect(wanted([], [pattern])).toEqual(PATHS.filter((path) => !taken.includes(path)));
    },
  );
});
