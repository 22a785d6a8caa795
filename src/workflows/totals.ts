/** Sums over finished units. */
import { capFailure, MAX_SHOWN_FAILURES } from '../model/caps.js';
import type { Failure } from '../model/pull.js';
import type { UnitTotals } from './messages.js';

export const NO_TOTALS: UnitTotals = {
  filesDone: 0,
  bytesDone: 0,
  bytesFetched: 0,
  filesFailed: 0,
  failures: [],
  retries: 0,
};

/** The sum of two totals, with the first few failures of both. */
export function addTotals(a: UnitTotals, b: UnitTotals): UnitTotals {
  return {
    filesDone: a.filesDone + b.filesDone,
    bytesDone: a.bytesDone + b.bytesDone,
    bytesFetched: a.bytesFetched + b.bytesFetched,
    filesFailed: a.filesFailed + b.filesFailed,
    failures: [...a.failures, ...b.failures].slice(0, MAX_SHOWN_FAILURES),
    retries: a.retries + b.retries,
  };
}

/** The totals of so many files that failed with one failure. */
export function failedTotals(files: number, failure: Failure): UnitTotals {
  return { ...NO_TOTALS, filesFailed: files, failures: [capFailure(failure)] };
}
