/** `waybill status [id]`: one pull in full. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WaybillError } from '../../model/errors.js';
import { NO_WORKER_ANSWERS, type PullStatus } from '../../model/pull.js';
import type { CommandContext } from '../context.js';
import { findPull, pathMeant } from '../find-pull.js';
import { failureLines, provenLine } from '../progress/summary.js';
import { readRecordAnswer, type RecordAnswer } from '../record-answer.js';
import { openSession, type Session } from '../session.js';
import { statusText } from '../status-text.js';
import { formatColumns } from '../table.js';

/** A worker that does not answer after so long does not answer. */
const FRESH_WORKER_MS = 20_000;

/**
 * When Temporal has forgotten a pull, the destination's record answers. Throws the error again where it is another one,
 * or no record answers.
 */
export function recordOfForgotten(
  wanted: string | undefined,
  error: unknown,
): { readonly path: string; readonly answer: RecordAnswer } {
  const path = wanted === undefined ? undefined : pathMeant(wanted);
  const isUnknown = error instanceof WaybillError && error.code === 'WB_NOT_FOUND';
  const answer = path === undefined || !isUnknown ? undefined : readRecordAnswer(path);
  if (path === undefined || answer === undefined) throw error;
  return { path, answer };
}

/** Prints what the destination's own record says. */
export function tellRecord({ output }: CommandContext, path: string, answer: RecordAnswer): number {
  const note = "from the destination's own record; Temporal no longer knows this pull";
  if (answer.kind === 'unfinished') {
    if (output.isJson) {
      output.jsonResult({
        state: 'unknown',
        source: answer.source,
        destination: path,
        from: 'record',
      });
    } else {
      output.result(`The pull of ${answer.source} into ${path} did not end (${note}).`);
      output.result(`It goes on where it stopped with: waybill resume ${path}`);
    }
    return 0;
  }
  const { receipt, result } = answer;
  if (output.isJson) {
    const state = result.ok ? 'done' : 'failed';
    const { asked } = receipt.source;
    output.jsonResult({ state, source: asked, destination: path, result, from: 'record' });
    return 0;
  }
  output.result(
    formatColumns([
      ['pull', `${receipt.pull.workflowId} (${note})`],
      ['source', receipt.source.asked],
      ['destination', receipt.destination],
      ['ended', receipt.endedAt],
    ]),
  );
  for (const line of [...failureLines(result), provenLine(result)]) output.result(line);
  return 0;
}

/** The worker of a service that was just started has to load first: until then it answers nothing, and knows all. */
async function answered(session: Session, pullId: string): Promise<PullStatus> {
  const until = performance.now() + (session.isFresh ? FRESH_WORKER_MS : 0);
  for (;;) {
    const status = await session.client.status(pullId);
    const isSilent = status.state === 'running' && status.progress.reason === NO_WORKER_ANSWERS;
    if (!isSilent || performance.now() > until) return status;
    await sleep(200);
  }
}

async function tellStatus(
  { output }: CommandContext,
  session: Session,
  wanted: string | undefined,
): Promise<number> {
  const { pullId } = await findPull(session.client, wanted);
  const status = await answered(session, pullId);
  const page =
    session.uiAddress === undefined
      ? undefined
      : `${session.uiAddress}/namespaces/default/workflows/${encodeURIComponent(pullId)}`;
  if (output.isJson) output.jsonResult(status);
  else output.result(statusText(status, page));
  return 0;
}

/** Prints the status; when Temporal has forgotten the pull, the destination's record answers. */
export async function runStatus(
  context: CommandContext,
  [wanted]: readonly (string | undefined)[],
): Promise<number> {
  const { config, output } = context;
  const session = await openSession({ config, onProgress: (line) => output.say(line) });
  try {
    return await tellStatus(context, session, wanted);
  } catch (error) {
    const { path, answer } = recordOfForgotten(wanted, error);
    return tellRecord(context, path, answer);
  } finally {
    await session.close();
  }
}
