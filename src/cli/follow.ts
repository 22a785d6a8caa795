/** Follows a pull to its end, through restarts of the local service. */
import { asWaybillError, WaybillError } from '../model/errors.js';
import type { PullResult, PullStatus } from '../model/pull.js';
import { lacksRoom, noRoomText } from '../service/room.js';
import { eventsBetween } from './events.js';
import type { KnownRun } from '../client.js';
import type { Reporter } from './reporters/reporter.js';
import type { Session } from './session.js';

/** How long a pull may wait while no worker asks for its work: a local one starts again by itself meanwhile. */
const NO_WORKER_AFTER_MS = { local: 60_000, cluster: 30_000 };

/** How to follow. */
export interface FollowOptions {
  readonly pullId: string;
  /** The run, where it was just started or joined. */
  readonly run?: KnownRun;
  readonly session: Session;
  readonly reporter: Reporter;
  /** Aborted when the person wants to leave. */
  readonly signal: AbortSignal;
  /** The site of a destination on a cluster. */
  readonly site?: string;
  /** This command serves that site itself. */
  readonly isHere?: boolean;
  /** Opens the service again after it was lost, with everything that the pull needs there. */
  readonly reopen: () => Promise<Session>;
  /** Starts the pull again, under the same id, after Temporal has lost it with its database (rule 5). */
  readonly restart: (session: Session) => Promise<unknown>;
}

/** Lost so often, it is not the database that is lost. */
const MAX_RESTARTS = 5;

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
  private waitingSinceMs: number | undefined;

  private known: KnownRun | undefined;

  constructor(private readonly options: FollowOptions) {
    this.known = options.run;
  }

  /** The result; undefined if the signal came first; 'lost' if the service went away, 'forgotten' the pull. */
  async watch(session: Session): Promise<PullResult | undefined | 'lost' | 'forgotten'> {
    const done = new AbortController();
    const signal = AbortSignal.any([this.options.signal, done.signal]);
    // Waiting for the end by itself answers at once, where the looks answer at the next one.
    const end = session.client
      .result(this.options.pullId, this.known)
      .catch(() => new Promise<never>(() => undefined));
    // Another Temporal, or a pull that was started again, has another one.
    this.known = undefined;
    try {
      return await Promise.race([
        end,
        this.look(session, signal).catch((error: unknown) => forgotten(this.last, error)),
        session.lost.then(() => 'lost' as const),
        aborted(this.options.signal),
      ]);
    } finally {
      done.abort();
    }
  }

  private async look(session: Session, signal: AbortSignal): Promise<PullResult | undefined> {
    const { pullId, reporter } = this.options;
    const { firstAfterMs, everyMs: intervalMs } = reporter.looks;
    const looks = session.client.watch(pullId, { signal, intervalMs, firstAfterMs });
    for await (const seen of looks) {
      if (signal.aborted) break;
      const status = withRoom(session, neverBack(this.last, seen));
      reporter.update(status, eventsBetween(this.last, status));
      this.last = status;
      if (status.result) return status.result;
      try {
        await this.checkWorker(session, status);
      } catch (error) {
        // How long Temporal may be away is for the watch to say, and a worker cannot ask it for work meanwhile.
        if (asWaybillError(error).code !== 'WB_TEMPORAL_UNREACHABLE') throw error;
        this.waitingSinceMs = undefined;
      }
    }
    return undefined;
  }

  /** Throws WB_NO_WORKER when the pull has waited too long and nobody asks for its work. */
  private async checkWorker(session: Session, status: PullStatus): Promise<void> {
    if (status.progress.phase !== 'waiting for a worker') {
      this.waitingSinceMs = undefined;
      return;
    }
    this.waitingSinceMs ??= performance.now();
    if (await session.client.replaceIfStuck(this.options.pullId, siteOf(this.options))) {
      this.options.reporter.remark(
        'this version of Waybill cannot go on with the history of the pull; started again from its record',
      );
    }
    const limitMs = NO_WORKER_AFTER_MS[session.isLocal ? 'local' : 'cluster'];
    if (performance.now() - this.waitingSinceMs < limitMs) return;
    this.waitingSinceMs = performance.now();
    // One that is at its limits asks late; one that hangs is ended and started again by the service.
    if (await session.isWorkerUp().catch(() => false)) return;
    if (await session.client.isServed(this.options.site)) return;
    throw noWorker(session, this.options, limitMs);
  }
}

/** A wait that a full disk under the local service explains says so. */
function withRoom({ stateFolder }: Session, status: PullStatus): PullStatus {
  const { progress } = status;
  const isWaiting = progress.phase === 'waiting for a worker';
  if (!isWaiting || stateFolder === undefined || !lacksRoom(stateFolder)) return status;
  return { ...status, progress: { ...progress, reason: noRoomText(stateFolder) } };
}

/** A new client after a restart knows less than the last one showed: counts of one run never go back. */
export function neverBack(before: PullStatus | undefined, seen: PullStatus): PullStatus {
  if (before?.runId !== seen.runId) return seen;
  const old = before.progress;
  const { progress } = seen;
  const keys = [
    'filesPlanned',
    'bytesPlanned',
    'filesDone',
    'bytesDone',
    'filesKept',
    'filesFailed',
    'retries',
  ] as const;
  const counts = Object.fromEntries(keys.map((key) => [key, Math.max(old[key], progress[key])]));
  const isPlanComplete = old.isPlanComplete || progress.isPlanComplete;
  return { ...seen, progress: { ...progress, ...counts, isPlanComplete } };
}

function noWorker(
  session: Session,
  { pullId, site, isHere }: FollowOptions,
  limitMs: number,
): WaybillError {
  const command = `waybill worker${site === undefined || isHere ? '' : ` --site ${site}`}`;
  const where = isHere ? 'for the workflows of the cluster' : 'on a host that sees the destination';
  const next = session.isLocal
    ? 'the local worker does not start: waybill doctor'
    : `start one ${where}: ${command}`;
  return new WaybillError(
    'WB_NO_WORKER',
    `no worker has asked for the work of ${pullId} for ${limitMs / 1000} s; ${next}. The pull stays and goes on then`,
    // The message says which.
    { advice: '' },
  );
}

function lostAgain(pullId: string): WaybillError {
  return new WaybillError(
    'WB_TEMPORAL_UNREACHABLE',
    `Temporal loses the pull ${pullId} again and again: waybill doctor. What is at the destination stays`,
  );
}

function siteOf({ site }: FollowOptions): { site?: string } {
  return site === undefined ? {} : { site };
}

/** A pull that was seen, and that Temporal does not know any more. Throws any other error again. */
function forgotten(last: PullStatus | undefined, error: unknown): 'forgotten' {
  const isUnknown = error instanceof WaybillError && error.code === 'WB_NOT_FOUND';
  if (last === undefined || !isUnknown) throw error;
  return 'forgotten';
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
  for (let restarts = 0; ;) {
    const found = await watcher.watch(session);
    const { last } = watcher;
    const seen = last === undefined ? {} : { last };
    if (found === undefined) return { session, ...seen };
    if (found !== 'lost' && found !== 'forgotten') return { result: found, session, ...seen };
    if (options.signal.aborted) return { session, ...seen };
    if (found === 'lost') {
      options.reporter.remark('the local service ended; starting it again');
      session = await options.reopen();
      continue;
    }
    restarts += 1;
    if (restarts > MAX_RESTARTS) throw lostAgain(options.pullId);
    options.reporter.remark('Temporal has lost the pull; started again from its record');
    await options.restart(session);
  }
}
