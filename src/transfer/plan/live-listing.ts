/**
 * A listing outlives the attempts that read from it. A page that cannot be had is asked for again at once while the listing
 * moves; else the attempt fails, Temporal makes another, and that one goes on at the same page.
 */
import { setMaxListeners } from 'node:events';
import { WaybillError } from '../../model/errors.js';
import { startProgress, type CallContext, type UnitProgress } from '../api.js';

interface Parked {
  readonly resume: () => void;
  readonly end: (reason: unknown) => void;
}

/** The context of a listing, and what it does when a page cannot be had. */
export class LiveListing implements CallContext {
  private readonly controller = new AbortController();
  private readonly idle = startProgress('listing');
  private current: CallContext | undefined;
  private moves = 0;
  private movesAtFailure = 0;
  private parked: Parked[] = [];
  private tell: ((error: unknown) => void) | undefined;
  private unfollow: () => void = () => undefined;

  /** Aborts when the attempt at hand is stopped: a listing does not outlive that. */
  readonly signal: AbortSignal = this.controller.signal;

  constructor() {
    // Every file that is hashed waits for it.
    setMaxListeners(0, this.signal);
  }

  get progress(): UnitProgress {
    return this.current?.progress ?? this.idle;
  }

  get attempt(): number {
    return this.current?.attempt ?? 1;
  }

  /** Whether some page waits for the next attempt. */
  get isParked(): boolean {
    return this.parked.length > 0;
  }

  /** Something came of the source. */
  moved(): void {
    this.moves += 1;
  }

  /** What a store asks (`ListOptions.again`). */
  readonly again = async (error: unknown): Promise<void> => {
    if (!(error instanceof WaybillError) || !isPassing(error)) throw error;
    this.signal.throwIfAborted();
    if (error.code !== 'WB_RATE_LIMITED' && this.moves > this.movesAtFailure) {
      this.movesAtFailure = this.moves;
      return;
    }
    await new Promise<void>((resume, end) => {
      this.parked.push({ resume, end });
      this.tell?.(error);
    });
  };

  /** Runs one attempt. Rejects as the page that could not be had; then `isParked`, and the next call goes on. */
  async during<T>(
    context: CallContext,
    act: (interrupted: Promise<never>) => Promise<T>,
  ): Promise<T> {
    const interrupted = new Promise<never>((_, reject) => {
      this.tell = (error) => reject(asOfSource(error));
    });
    interrupted.catch(() => undefined);
    this.follow(context);
    for (const { resume } of this.parked.splice(0)) resume();
    try {
      return await act(interrupted);
    } finally {
      this.unfollow();
      this.tell = undefined;
    }
  }

  /** Ends what waits. */
  close(): void {
    const reason = new WaybillError('WB_CANCELLED', 'the rest of the listing is not wanted');
    this.controller.abort(reason);
    for (const { end } of this.parked.splice(0)) end(reason);
  }

  private follow(context: CallContext): void {
    this.current = context;
    const { signal } = context;
    const stop = (): void => this.controller.abort(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    this.unfollow = (): void => signal.removeEventListener('abort', stop);
  }
}

/** A fault of the network or of a busy service, also where it was met in the middle of a page. */
function isPassing({ retryable, scope }: WaybillError): boolean {
  return retryable && (scope === 'source' || scope === 'file');
}

/** A page is no file: whatever broke it off is the source's, and blocks the pull while it lasts. */
function asOfSource(error: unknown): unknown {
  if (!(error instanceof WaybillError) || error.scope !== 'file') return error;
  const { code, message, operation, store, retryable, retryAfterMs } = error;
  return new WaybillError(code, message, {
    scope: 'source',
    retryable,
    cause: error,
    ...(operation === undefined ? {} : { operation }),
    ...(store === undefined ? {} : { store }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
