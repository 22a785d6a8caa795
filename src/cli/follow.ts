/** Follows a pull to its end, through restarts of the local service. */
import type { PullResult, PullStatus } from '../model/pull.js';
import { eventsBetween } from './events.js';
import type { Reporter } from './reporters/reporter.js';
import type { Session } from './session.js';

/** Time between two looks. */
const LOOK_MS = 400;

/** How to follow. */
export interface FollowOptions {
  readonly pullId: string;
  readonly session: Session;
  readonly reporter: Reporter;
  /** Aborted when the person wants to leave. */
  readonly signal: AbortSignal;
  /** Opens the service again after it was lost, with everything that the pull needs there. */
  readonly reopen: () => Promise<Session>;
}

/** How it was left. */
export interface Followed {
  /** Absent: the person left first. */
  readonly result?: PullResult;
  /** The last look. */
  readonly last?: PullStatus;
  /** The session now; not the one that was given if the service was lost meanwhile. */
  readonly session: Session;
}

class Watcher {
  last: PullStatus | undefined;

  constructor(private readonly options: FollowOptions) {}

  /** The result; undefined if the signal came first; 'lost' if the service went away. */
  async watch(session: Session): Promise<PullResult | undefined | 'lost'> {
    const done = new AbortController();
    const signal = AbortSignal.any([this.options.signal, done.signal]);
    // Waiting for the end by itself answers at once, where the looks answer at the next one.
    const end = session.client
      .result(this.options.pullId)
      .catch(() => new Promise<never>(() => undefined));
    try {
      return await Promise.race([
        end,
        this.look(session, signal),
        session.lost.then(() => 'lost' as const),
        aborted(this.options.signal),
      ]);
    } finally {
      done.abort();
    }
  }

  private async look(session: Session, signal: AbortSignal): Promise<PullResult | undefined> {
    const { pullId, reporter } = this.options;
    for await (const status of session.client.watch(pullId, { signal, intervalMs: LOOK_MS })) {
      if (signal.aborted) break;
      reporter.update(status, eventsBetween(this.last, status));
      this.last = status;
      if (status.result) return status.result;
    }
    return undefined;
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

/** Follows a pull until it ends or the signal is aborted. Throws what the client throws. */
export async function followPull(options: FollowOptions): Promise<Followed> {
  const watcher = new Watcher(options);
  let { session } = options;
  for (;;) {
    const found = await watcher.watch(session);
    const { last } = watcher;
    const seen = last === undefined ? {} : { last };
    if (found === undefined) return { session, ...seen };
    if (found !== 'lost') return { result: found, session, ...seen };
    if (options.signal.aborted) return { session, ...seen };
    options.reporter.remark('the local service ended; starting it again');
    session = await options.reopen();
  }
}
