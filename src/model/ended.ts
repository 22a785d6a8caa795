/** The result of a pull that ended without sealing anything. */
import { ERRORS, type ErrorCode } from './errors.js';
import type { PullProgress, PullResult } from './pull.js';

/** A result for a pull that left none itself, from what is known of its progress. */
export function resultWithout(
  code: ErrorCode,
  message: string,
  destination: string,
  progress: PullProgress | undefined,
): PullResult {
  return {
    ok: false,
    exitCode: ERRORS[code].exitCode,
    code,
    message,
    destination,
    files: progress?.filesDone ?? 0,
    bytes: progress?.bytesDone ?? 0,
    filesFetched: (progress?.filesDone ?? 0) - (progress?.filesKept ?? 0),
    bytesFetched: 0,
    filesKept: progress?.filesKept ?? 0,
    filesStale: 0,
    filesSkipped: 0,
    levels: {},
    failures: progress?.failures ?? [],
    filesFailed: progress?.filesFailed ?? 0,
    warnings: [],
  };
}
