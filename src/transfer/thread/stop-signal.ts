/** A stop request of the shared memory as an AbortSignal, for calls that wait for an answer. */
import { setMaxListeners } from 'node:events';
import type { Cell } from './cell.js';

const LOOK_MS = 100;

/** Aborts within a tenth of a second of the stop request; `end` stops looking. */
export function stopSignalOf(cell: Cell): { readonly signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  // Every connection of a task listens.
  setMaxListeners(0, controller.signal);
  const timer = setInterval(() => {
    if (cell.isStopped) controller.abort(new Error('stopped'));
  }, LOOK_MS);
  return { signal: controller.signal, end: () => clearInterval(timer) };
}
