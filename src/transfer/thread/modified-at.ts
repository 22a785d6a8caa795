/** Modification times of partials. */
import { futimesSync } from 'node:fs';

/** Sets the source's modification time; does nothing where it is unknown or unreadable. */
export function setModifiedAt(fd: number, modifiedAt: string | undefined): void {
  const timeMs = modifiedAt === undefined ? Number.NaN : Date.parse(modifiedAt);
  if (!Number.isFinite(timeMs)) return;
  // Node cuts to whole microseconds after a division that may fall just below one.
  const seconds = (timeMs + 0.000_5) / 1_000;
  futimesSync(fd, seconds, seconds);
}
