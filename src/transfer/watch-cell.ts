/** Carries an abort into the shared memory that the threads watch. */
import type { Cell } from './thread/cell.js';

/** Stops the cell when the signal aborts; answers a function that ends the watch. */
export function watchCell(cell: Cell, signal: AbortSignal): () => void {
  const stop = (): void => {
    cell.stop();
  };
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  return () => {
    signal.removeEventListener('abort', stop);
  };
}
