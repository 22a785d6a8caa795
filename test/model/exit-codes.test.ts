import { describe, expect, it } from '@jest/globals';
import { ERRORS, exitCodeOf, type ErrorCode } from '../../src/model/errors.js';

const CODES = Object.keys(ERRORS) as ErrorCode[];
const SERIOUS = [6, 8, 11, 7, 9, 5, 4, 12];

describe('the exit code of a pull', () => {
  it('is 0 when nothing failed, whatever was published', () => {
    expect([exitCodeOf([], 0), exitCodeOf([], 5)]).toEqual([0, 0]);
  });

  it.each(CODES)('is 3 when something was published and %s failed', (code) => {
    expect(exitCodeOf([code], 1)).toBe(3);
  });

  it.each(CODES)('is that of %s when it alone failed and nothing was published', (code) => {
    expect(exitCodeOf([code], 0)).toBe(ERRORS[code].exitCode);
  });

  it('is that of the most serious class when nothing was published, in any order', () => {
    for (const [index, serious] of SERIOUS.entries()) {
      for (const lesser of SERIOUS.slice(index + 1)) {
        for (const a of CODES.filter((code) => ERRORS[code].exitCode === serious)) {
          for (const b of CODES.filter((code) => ERRORS[code].exitCode === lesser)) {
            expect([a, b, exitCodeOf([a, b], 0), exitCodeOf([b, a], 0)]).toEqual([
              a,
              b,
              serious,
              serious,
            ]);
          }
        }
      }
    }
  });
});
