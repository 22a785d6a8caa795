/** Modification times of partials. */
import { futimes, futimesSync } from 'node:fs';
import { promisify } from 'node:util';

const besides = promisify(futimes);

/** Sets the source's modification time; does nothing where it is unknown or unreadable. */
export function setModifiedAt(fd: number, modifiedAt: string | undefined): void {
  const seconds = secondsOf(modifiedAt);
  if (seconds !== undefined) futimesSync(fd, seconds, seconds);
}

/** The same beside this thread's other work: NFS flushes a file before it sets its time. */
export async function setModifiedAtBeside(
  fd: number,
  modifiedAt: string | undefined,
): Promise<void> {
  const seconds = secondsOf(modifiedAt);
  if (seconds !== undefined) await besides(fd, seconds, seconds);
}

function secondsOf(modifiedAt: string | undefined): number | undefined {
  const timeMs = modifiedAt === undefined ? Number.NaN : Date.parse(modifiedAt);
  // Node cuts to whole microseconds after a division that may fall just below one.
  return Number.isFinite(timeMs) ? (timeMs + 0.000_5) / 1_000 : undefined;
}
