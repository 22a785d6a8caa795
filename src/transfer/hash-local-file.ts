/** One local file hashed in a thread, seen by whoever watches the attempt: of a large one it takes minutes. */
import { basename } from 'node:path';
import type { CallContext } from './api.js';
import type { PullContext } from './pull-context.js';
import { Cell } from './thread/cell.js';
import { watchCell } from './watch-cell.js';

/** How often what was read is added to the progress. */
const COUNT_MS = 200;

/**
 * SHA-256 of a local file of a known size; undefined if it is shorter, or cannot be read. Its bytes count as checked.
 * Rejects with the signal's reason.
 */
export async function hashFile(
  pull: Pick<PullContext, 'pool'>,
  path: string,
  sizeBytes: number,
  context: Pick<CallContext, 'signal' | 'progress'>,
): Promise<string | undefined> {
  const cell = new Cell();
  const unwatch = watchCell(cell, context.signal);
  const shown = { name: basename(path), bytesTotal: sizeBytes, bytesDone: 0 };
  let counted = 0;
  const count = (): void => {
    // Several are hashed at once, and the attempt that waits for them may be another one by now.
    const { progress } = context;
    const checked = cell.checkedBytes;
    progress.bytesChecked = (progress.bytesChecked ?? 0) + checked - counted;
    counted = checked;
    shown.bytesDone = checked;
    progress.checking ??= shown;
  };
  const timer = setInterval(count, COUNT_MS);
  const extents = [{ offsetBytes: 0, lengthBytes: sizeBytes }];
  try {
    const hashed = await pull.pool.hashExtents({ cell: cell.memory, path, extents });
    context.signal.throwIfAborted();
    return hashed.kind === 'hashed' ? hashed.digests[0] : undefined;
  } finally {
    clearInterval(timer);
    unwatch();
    count();
    if (context.progress.checking === shown) context.progress.checking = undefined;
  }
}
