/** `waybill watch [id]`: one pull, live, with its exit code at the end. */
import { WaybillError } from '../../model/errors.js';
import { shellQuote } from '../../model/shell-quote.js';
import type { CommandContext } from '../context.js';
import { findPull } from '../find-pull.js';
import { followPull } from '../follow.js';
import { listenForKeys } from '../keys.js';
import { restartFromRecord } from '../restart.js';
import { chooseReporter, type PullLabel } from '../reporters/index.js';
import { JsonReporter } from '../reporters/json.js';
import { logsOf, openSession, type Session } from '../session.js';
import { leftAtOnce } from '../pause-at-stop.js';
import { STOP_EXIT_CODES, StopSwitch } from '../stop.js';
import { recordOfForgotten, tellRecord } from './status.js';

async function watchPull(
  context: CommandContext,
  first: Session,
  wanted: string | undefined,
): Promise<number> {
  const { config } = context;
  let session = first;
  const { pullId, source, destination } = await findPull(session.client, wanted);
  const reporter = await chooseReporter(context, source, 'Ctrl-C stops watching; the pull goes on');
  const stop = new StopSwitch((exitCode) => {
    reporter.stopped(leftAtOnce(exitCode, destination));
    process.exit(exitCode);
  });
  const canKey = process.stdin.isTTY && process.stderr.isTTY;
  const leave = (): void => stop.stop('interrupt');
  const stopKeys = canKey
    ? listenForKeys(process.stdin, { onDetach: leave, onInterrupt: leave })
    : undefined;
  const label: PullLabel = {
    pullId,
    source,
    destination,
    joined: false,
    goesOn: false,
    temporal: session.label,
    skipsExisting: false,
    command: 'the same waybill pull command',
    ...logsOf(session, config),
  };
  try {
    reporter.started(label);
    const followed = await followPull({
      pullId,
      session,
      reporter,
      signal: stop.signal,
      reopen: async () => {
        session = await openSession({ config, onProgress: (line) => reporter.prelude(line) });
        return session;
      },
      restart: (again) => restartFromRecord(again, destination, pullId),
    });
    if (followed.result) {
      reporter.finish(followed.result, label);
      return followed.result.exitCode;
    }
    const exitCode = STOP_EXIT_CODES[stop.reason ?? 'interrupt'];
    const lines = [`Stopped watching; the pull goes on. Look again: waybill watch ${pullId}`];
    reporter.stopped({ exitCode, code: 'WB_STOPPED', destination, lines });
    return exitCode;
  } finally {
    stopKeys?.();
    reporter.close();
    stop.dispose();
    if (session !== first) await session.close();
  }
}

function unfinished(path: string, source: string): WaybillError {
  return new WaybillError(
    'WB_NOT_FOUND',
    `the pull of ${source} into ${path} did not end, and Temporal no longer knows it`,
    { advice: `It goes on where it stopped with: waybill resume ${shellQuote(path)}` },
  );
}

/** Follows a pull; one that Temporal has forgotten is told from its destination's record. */
export async function runWatch(
  context: CommandContext,
  [wanted]: readonly (string | undefined)[],
): Promise<number> {
  const { config, output } = context;
  const session = await openSession({ config, onProgress: (line) => output.say(line) });
  try {
    return await watchPull(context, session, wanted);
  } catch (error) {
    const { path, answer } = recordOfForgotten(wanted, error);
    if (answer.kind === 'unfinished') throw unfinished(path, answer.source);
    if (output.isJson) new JsonReporter(output, path, context.subject).finish(answer.result);
    else tellRecord(context, path, answer);
    return answer.result.exitCode;
  } finally {
    await session.close();
  }
}
