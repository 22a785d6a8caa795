/** How a command that failed says so: a message for people, a result line for scripts. */
import { CommanderError } from 'commander';
import { asWaybillError, WaybillError } from '../model/errors.js';
import { lacksRoom, MAKE_ROOM, noRoomText } from '../service/room.js';
import type { Subject } from './context.js';
import { EVENT_VERSION } from './events.js';
import type { Redactor } from './redact.js';
import { safeLines } from './safe-text.js';

/** Where and how a failure is told. */
export interface FailureOptions {
  readonly redactor: Redactor;
  readonly subject: Subject;
  readonly isJson: boolean;
  readonly isDebug: boolean;
  /** The folder of the local service's logs, where there is one. */
  readonly logsIn?: string;
  /** Completes commands to type. */
  readonly complete: (text: string) => string;
  readonly writeOut: (text: string) => void;
  readonly writeError: (text: string) => void;
}

function chain(error: unknown): string {
  const parts: string[] = [];
  for (let current = error, depth = 0; current instanceof Error && depth < 5; depth += 1) {
    parts.push(current.stack ?? current.message);
    current = current.cause;
  }
  return parts.join('\ncaused by: ');
}

function writeResult(code: string, exitCode: number, message: string, out: FailureOptions): void {
  const { pullId, destination, hasResult } = out.subject;
  if (hasResult) return;
  out.subject.hasResult = true;
  const line = {
    v: EVENT_VERSION,
    type: 'result',
    time: new Date().toISOString(),
    pullId,
    ok: false,
    exitCode,
    code,
    message,
    destination,
    treeDigest: null,
    failures: [],
  };
  out.writeOut(`${JSON.stringify(line)}\n`);
}

function tellKnown(known: WaybillError, error: unknown, out: FailureOptions): number {
  const message = out.complete(out.redactor.redact(known.message));
  const advice = out.complete(out.redactor.redact(known.advice));
  out.writeError(`waybill: ${safeLines(message)}\n`);
  // These messages say themselves what to type.
  const isSaid = known.code === 'WB_USAGE' || message.includes(advice);
  if (!isSaid && advice !== '') out.writeError(`  ${advice}\n`);
  if (known.code === 'WB_UNEXPECTED' && out.logsIn !== undefined) {
    out.writeError(`  The logs of the local service are in ${out.logsIn}\n`);
  }
  if (out.isDebug) out.writeError(`${safeLines(out.redactor.redact(chain(error)))}\n`);
  if (out.isJson) writeResult(known.code, known.exitCode, message, out);
  return known.exitCode;
}

/** What a full disk under the local service makes of everything: one cause, whatever the words were. */
function withRoom(error: unknown, logsIn: string | undefined): WaybillError {
  const known = asWaybillError(error);
  const isOfService =
    known.code === 'WB_TEMPORAL_UNREACHABLE' ||
    known.code === 'WB_NO_WORKER' ||
    // What the service process met comes as words.
    known.message.includes('ENOSPC');
  if (!isOfService || logsIn === undefined || !lacksRoom(logsIn)) return known;
  return new WaybillError('WB_TEMPORAL_UNREACHABLE', `${noRoomText(logsIn)} (${known.message})`, {
    cause: error,
    advice: MAKE_ROOM,
  });
}

/** Tells a failure and gives its exit code. Commander has printed its own message already. */
export function tellFailure(error: unknown, out: FailureOptions): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    if (out.isJson) writeResult('WB_USAGE', 2, error.message.replace(/^error: /, ''), out);
    return 2;
  }
  return tellKnown(withRoom(error, out.logsIn), error, out);
}
