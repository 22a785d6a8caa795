import { copyFileSync, openSync, readFileSync, statSync, truncateSync } from 'node:fs';

const MAX_LOG_BYTES = 8 * 1024 * 1024;

/**
 * Opens a log for appending, mode 0600. Children write into it themselves: a pipe through the service would
 * end them with it, at their next line.
 */
export function openLog(path: string): number {
  boundLog(path);
  return openSync(path, 'a', 0o600);
}

/** Keeps a log and its predecessor below 8 MiB each: a log that is too long is copied aside and emptied. */
export function boundLog(path: string, maxBytes: number = MAX_LOG_BYTES): void {
  try {
    if (statSync(path).size <= maxBytes) return;
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
  } catch {
    // Not there yet, or the disk is full: a log is never a reason to stop a pull.
  }
}

/** What the worker's log calls an error that nobody expected; its `stack` says where it was thrown. */
export const UNEXPECTED = 'unexpected';

/** The stack of the last unexpected error in a worker's log. */
export function readLastStack(path: string): string | undefined {
  try {
    const lines = readFileSync(path, 'utf8').split('\n');
    const line = lines.findLast((one) => one.endsWith(`"msg":"${UNEXPECTED}"}`)) ?? '{}';
    const { stack } = JSON.parse(line) as { stack?: unknown };
    return typeof stack === 'string' ? stack : undefined;
  } catch {
    return undefined;
  }
}

/** The last lines of a log, on one line, for an error message. */
export function readLogEnd(path: string): string {
  try {
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n').slice(-3);
    return lines.join(' | ').slice(-600) || 'it is empty';
  } catch {
    return 'it cannot be read';
  }
}
