/** `waybill pull`: start or join a pull, follow it, say what was proven. */
import { redactUri } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';
import type { PullRequest } from '../../model/pull.js';
import { againCommand } from '../command-line.js';
import { textFlag, type CommandContext } from '../context.js';
import { followPull, type Followed } from '../follow.js';
import { limitsText } from '../limits-text.js';
import { listenForKeys } from '../keys.js';
import { leavePull, leftAtOnce } from '../pause-at-stop.js';
import { checkReceiptOut, copyReceipt } from '../receipt-out.js';
import { chooseReporter, type PullLabel, type Reporter } from '../reporters/index.js';
import { buildPullRequest, type BuiltRequest } from '../request/build.js';
import { openSession, type Session } from '../session.js';
import { StopSwitch } from '../stop.js';

/** Everything about one pull of one command. */
interface Pulling {
  readonly context: CommandContext;
  readonly built: BuiltRequest;
  readonly reporter: Reporter;
  readonly stop: StopSwitch;
  readonly isInline: boolean;
}

/** Opens the service and hands the secrets over: again after each loss, for the new one does not have them. */
async function prepare(pulling: Pulling): Promise<{ session: Session; request: PullRequest }> {
  const { context, built, reporter, stop } = pulling;
  const session = await openSession({
    config: context.config,
    onProgress: (line) => reporter.prelude(line),
    signal: stop.signal,
  });
  const { secrets } = built.address;
  if (Object.keys(secrets).length === 0) return { session, request: built.request };
  const credentials = await session.putCredentials(secrets);
  const source = { ...built.request.source, credentials };
  return { session, request: { ...built.request, source } };
}

/** A stop before the pull has started leaves nothing behind. */
function stoppedEarly(pulling: Pulling): number | undefined {
  const { stop, reporter, built } = pulling;
  if (stop.reason === undefined) return undefined;
  const exitCode = stop.reason === 'terminate' ? 143 : 130;
  reporter.stopped({
    exitCode,
    code: 'WB_STOPPED',
    destination: built.request.destination.path,
    lines: ['Stopped before the pull had started; nothing was fetched.'],
  });
  return exitCode;
}

function siteOf({ site }: BuiltRequest): { site?: string } {
  return site === undefined ? {} : { site };
}

async function run(pulling: Pulling): Promise<number> {
  const { context, built, reporter, stop, isInline } = pulling;
  let opened: { session: Session; request: PullRequest };
  try {
    opened = await prepare(pulling);
  } catch (error) {
    const early = stoppedEarly(pulling);
    if (early !== undefined) return early;
    throw error;
  }
  let { session } = opened;
  try {
    const started = await session.client.startPull(opened.request, siteOf(built));
    const isOwn = !started.joined || started.wasPaused || session.isFresh;
    const label: PullLabel = {
      pullId: started.pullId,
      joined: !isOwn,
      goesOn: started.joined && isOwn,
      source: redactUri(built.request.source.uri),
      destination: built.request.destination.path,
      temporal: session.label,
      skipsExisting: built.request.ifExists === 'skip',
      command: againCommand(process.argv.slice(2), context.redactor),
    };
    reporter.started(label);
    if (started.tuned !== undefined) {
      reporter.remark(
        `it was started with other limits; from now on: ${limitsText(started.tuned)}`,
      );
    }
    if (context.flags['detach'] === true) stop.stop('detach');
    const follow = (): Promise<Followed> =>
      followPull({
        pullId: started.pullId,
        session,
        reporter,
        signal: stop.signal,
        ...siteOf(built),
        reopen: async () => (session = (await prepare(pulling)).session),
        restart: ({ client }) => client.startPull(opened.request, siteOf(built)),
      });
    let followed = await follow();
    session = followed.session;
    if (label.goesOn && followed.result?.code === 'WB_DESTINATION_OWNED') {
      // The run that stood still is out of date: since then the destination was another run's, of another database perhaps.
      await session.client.startPull(opened.request, siteOf(built));
      followed = await follow();
      session = followed.session;
    }
    const { result, last } = followed;
    if (result) {
      const receiptOut = textFlag(context.flags, 'receiptOut');
      const problem = receiptOut === undefined ? undefined : copyReceipt(result, receiptOut);
      if (problem !== undefined) reporter.remark(problem);
      reporter.finish(result, label);
      return result.exitCode;
    }
    const { pullId, destination, command } = label;
    const reason = stop.reason ?? 'interrupt';
    if (reason !== 'detach' && isOwn && session.isLocal) {
      reporter.remark('pausing at the next part; Ctrl-C again leaves at once');
    }
    const stopped = await leavePull({
      session,
      pullId,
      destination,
      command,
      reason,
      isOwn,
      isInline,
      last,
    });
    reporter.stopped(stopped);
    // --quiet promises the destination, and every command takes it for the id.
    const { output } = context;
    if (reason === 'detach' && !output.isJson) {
      output.rawResult(output.isQuiet ? destination : pullId);
    }
    return stopped.exitCode;
  } finally {
    await session.close();
  }
}

function refuseDetachedInline(context: CommandContext, isInline: boolean): void {
  if (!isInline || context.flags['detach'] !== true) return;
  const { why } = context.config.temporal;
  throw new WaybillError(
    'WB_USAGE',
    `--detach needs a service that outlives the command, and here it does not (${why}); ` +
      'set WAYBILL_SERVICE=background, or use a cluster',
  );
}

/** Runs the command. */
export async function runPull(
  context: CommandContext,
  [source = '', destination]: readonly (string | undefined)[],
): Promise<number> {
  const { config, flags, output, redactor } = context;
  const built = buildPullRequest({ config, flags, source, destination, cwd: process.cwd() });
  redactor.learn(Object.values(built.address.secrets));
  context.subject.destination = built.request.destination.path;
  if (flags['dryRun'] === true) {
    if (config.temporal.kind === 'cluster') {
      throw new WaybillError('WB_UNSUPPORTED', '--dry-run looks at this host; add --local');
    }
    const { runDryRun } = await import('./dry-run.js');
    return runDryRun(context, built);
  }
  context.subject.outlivesReader = true;
  const receiptOut = textFlag(flags, 'receiptOut');
  if (receiptOut !== undefined) checkReceiptOut(receiptOut);
  const isInline = config.temporal.kind === 'local' && config.temporal.mode === 'inline';
  refuseDetachedInline(context, isInline);
  const canKey = process.stdin.isTTY && process.stderr.isTTY && !output.isJson && !output.isQuiet;
  const hint = isInline
    ? 'Ctrl-C pauses it'
    : `Ctrl-C pauses it${canKey ? ', d sends it to the background' : ''}`;
  const shown = redactUri(built.request.source.uri);
  const reporter = await chooseReporter(context, shown, hint);
  for (const notice of built.notices) reporter.prelude(notice);
  const stop = new StopSwitch((exitCode) => {
    const command = againCommand(process.argv.slice(2), redactor);
    reporter.stopped(leftAtOnce(exitCode, built.request.destination.path, command));
    process.exit(exitCode);
  });
  const stopKeys = canKey
    ? listenForKeys(process.stdin, {
        onInterrupt: () => stop.stop('interrupt'),
        onDetach: () => {
          if (!isInline) stop.stop('detach');
        },
      })
    : undefined;
  try {
    return await run({ context, built, reporter, stop, isInline });
  } finally {
    stopKeys?.();
    reporter.close();
    stop.dispose();
  }
}
