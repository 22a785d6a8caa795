/** Reads a body chunk by chunk. */
import type { ByteBody } from '../../stores/store.js';
import type { Cell } from './cell.js';

/** How often a body that says nothing is checked for a stop request. */
const STOP_CHECK_MS = 100;

/**
 * Hands every chunk of a body to `onChunk`, in order, for the length of the call; what it throws ends the body. Resolves to `ended` at the
 * body's proper end and to `stopped` when the cell asks for a stop; rejects with the body's own error.
 */
export function consume(
  body: ByteBody,
  cell: Cell,
  onChunk: (chunk: Buffer) => void,
): Promise<'ended' | 'stopped'> {
  return new Promise((resolve, reject) => {
    let isSettled = false;
    const settle = (finish: () => void): void => {
      if (isSettled) return;
      isSettled = true;
      clearInterval(timer);
      finish();
    };
    const stop = (): void => {
      settle(() => {
        resolve('stopped');
      });
      body.destroy();
    };
    const timer = setInterval(() => {
      if (cell.isStopped) stop();
    }, STOP_CHECK_MS);
    const take = (chunk: Buffer): void => {
      if (isSettled) return;
      if (cell.isStopped) {
        stop();
        return;
      }
      try {
        onChunk(chunk);
      } catch (error) {
        settle(() => {
          reject(error as Error);
        });
        body.destroy();
      }
    };
    // It may have failed before anybody listened, and does not say so again.
    if (body.destroyed) {
      settle(() => {
        reject(body.errored ?? closedEarly());
      });
      return;
    }
    body.once('end', () => {
      settle(() => {
        resolve('ended');
      });
    });
    body.on('error', (error) => {
      settle(() => {
        reject(error);
      });
    });
    body.once('close', () => {
      settle(() => {
        reject(closedEarly());
      });
    });
    if (body.pour) body.pour(take);
    else body.on('data', take);
  });
}

function closedEarly(): Error {
  return new Error('the connection was closed before the body ended');
}
