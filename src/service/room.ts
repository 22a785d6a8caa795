/** Room for what the local service writes: where it has none, its Temporal answers whatever its database comes to say. */
import { statfsSync } from 'node:fs';

/** An empty database and its log take as much. */
const TOO_LITTLE_BYTES = 4 * 1024 * 1024;

/** Whether the disk of a state folder is full. */
export function lacksRoom(folder: string): boolean {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(folder);
    return bavail * bsize < TOO_LITTLE_BYTES || (files > 0 && ffree === 0);
  } catch {
    return false;
  }
}

/** Why nothing goes on. */
export function noRoomText(folder: string): string {
  return `no space is left in ${folder}, where the local service keeps its database`;
}

/** What mends it. */
export const MAKE_ROOM =
  'Make room there, or set WAYBILL_STATE_DIR to a folder on another disk; the same command then goes on.';
