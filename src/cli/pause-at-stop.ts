/** What happens to a pull when the person who started it leaves. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PullStatus } from '../model/pull.js';
import { shellQuote } from '../model/shell-quote.js';
import { formatBytes } from '../model/sizes.js';
import { asWaybillError } from '../model/errors.js';
import { keptPartBytes } from '../transfer/kept-parts.js';
import { knowsBytes } from './progress/view.js';
import { hungWay } from './hung-share.js';
import { recordFolderOf } from './record-folder.js';
import type { Stopped } from './reporters/reporter.js';
import type { Session } from './session.js';
import { STOP_EXIT_CODES, type StopReason } from './stop.js';

/** The next part boundary is about a second away; a stuck disk may take longer than anyone wants to wait. */
const PAUSE_LIMIT_MS = 15_000;
const LOOK_MS = 150;

/** What is left behind. */
export interface LeaveOptions {
  readonly session: Session;
  readonly pullId: string;
  readonly destination: string;
  readonly reason: StopReason;
  /** The pull is this command's own: it started it, or went on with it. */
  readonly isOwn: boolean;
  /** The bytes of a cluster's pull move through this command. */
  readonly isHere: boolean;
  readonly last: PullStatus | undefined;
  /** What to type to go on. */
  readonly command: string;
}

/** What a command that leaves its own pull at once says of it. */
export interface LeftPull {
  /** What goes on with it. */
  readonly command: string;
  /** Its bytes moved with this command: nobody else goes on. */
  readonly standsStill: boolean;
}

/** A second Ctrl-C: the command leaves at once, and cancels nothing. `own`: it did not only watch. */
export function leftAtOnce(exitCode: number, destination: string, own?: LeftPull): Stopped {
  const look = `Look: waybill status ${shellQuote(destination)}`;
  const lines =
    own === undefined
      ? [`Left at once; the pull goes on. ${look}`]
      : [
          own.standsStill
            ? 'Left at once; nothing is cancelled: the pull stands still until the same command comes again.'
            : 'Left at once; nothing is cancelled: the pull pauses, or goes on in the background.',
          `${look}   Go on with: ${own.command}`,
        ];
  return { exitCode, code: 'WB_STOPPED', destination, lines };
}

async function waitForPause(session: Session, pullId: string): Promise<PullStatus | undefined> {
  const deadlineMs = performance.now() + PAUSE_LIMIT_MS;
  let last: PullStatus | undefined;
  do {
    last = await session.client.status(pullId);
    if (last.state !== 'running') return last;
    // The wish to pause shows at once; what runs hears of it with its next heartbeat.
    if (last.progress.phase === 'paused' && last.inFlight.length === 0) return last;
    await sleep(LOOK_MS);
  } while (performance.now() < deadlineMs);
  return last;
}

/** Bytes of recorded parts; of a share that does not answer nothing is known. */
function recordedBytes(destination: string): number {
  return hungWay(destination) === undefined ? keptPartBytes(recordFolderOf(destination)) : 0;
}

function keptLine(status: PullStatus | undefined, destination: string): string {
  const progress = status?.progress;
  // A part may be recorded before any heartbeat has told of it.
  const bytesDone = Math.max(
    progress?.bytesDone ?? 0,
    recordedBytes(status?.destination ?? destination),
  );
  if (!progress || bytesDone === 0) return `Nothing was fetched yet: ${destination}`;
  const { bytesPlanned, isPlanComplete } = progress;
  const total = isPlanComplete && knowsBytes(progress) ? ` of ${formatBytes(bytesPlanned)}` : '';
  return `Kept: ${formatBytes(bytesDone)}${total}, in ${destination}`;
}

/** Pauses the pull where it is this command's own, leaves it alone where it is not, and says which. */
export async function leavePull(options: LeaveOptions): Promise<Stopped> {
  const { session, pullId, reason, isOwn, isHere, last, command, destination } = options;
  const exitCode = STOP_EXIT_CODES[reason];
  if (reason === 'detach') {
    const lines = [`It goes on in the background as ${pullId}.`, `Look: waybill watch ${pullId}`];
    return { exitCode, code: null, destination, lines };
  }
  if (!isOwn || !(session.isLocal || isHere)) {
    const why = session.isLocal || isHere ? 'another command started it' : 'it runs on the cluster';
    const lines = [
      `Stopped watching; the pull goes on, because ${why}.`,
      `Look: waybill watch ${pullId}   Stop it: waybill pause ${pullId}`,
    ];
    return { exitCode, code: 'WB_STOPPED', destination, lines };
  }
  try {
    await session.client.pause(pullId);
    const status = await waitForPause(session, pullId);
    const lines = [keptLine(status ?? last, destination), `Go on with: ${command}`];
    return { exitCode, code: 'WB_STOPPED', destination, lines };
  } catch (error) {
    const lines = [
      `The pull could not be paused: ${asWaybillError(error).message}`,
      `Go on with: ${command}`,
    ];
    return { exitCode, code: 'WB_STOPPED', destination, lines };
  }
}
