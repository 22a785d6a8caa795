/** `waybill pull`: start or join a pull, follow it, say what was proven. */
import type { StartedPull } from '../../client.js';
import type { HereWorker } from '../../here.js';
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
import { seenHere } from '../seen-here.js';
import { logsOf, openSession, type Session } from '../session.js';
import { StopSwitch } from '../stop.js';

/** Everything about one pull of one command. */
interface Pulling {
  readonly context: CommandContext;
  readonly built: BuiltRequest;
  readonly reporter: Reporter;
  readonly stop: StopSwitch;
  readonly isInline: boolean;
}

/** The way to Temporal, and what is asked of it. */
interface Prepared {
  readonly session: Session;
  readonly request: PullRequest;
  /** With `--here`: what serves this host. */
  readonly worker?: HereWorker;
}

/** Opens the service and hands the secrets over: again after each loss, for the new one does not have them. */
async function prepare(pulling: Pulling): Promise<Prepared> {
  const { context, built, reporter, stop } = pulling;
  const session = await openSession({
    config: context.config,
    onProgress: (line) => reporter.prelude(line),
    signal: stop.signal,
  });
  if (built.isHere) {
    const { serveThisHost } = await import('../serve-here.js');
    try {
      return { session, ...(await serveThisHost(context.config, session, built)) };
    } catch (error) {
      await session.close();
      throw error;
    }
  }
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

/** Never, unless polling ends by itself: then nothing of this pull would move any more. */
function failed(worker: HereWorker | undefined): Promise<never> {
  const never = new Promise<never>(() => undefined);
  return worker === undefined ? never : worker.ended.then(() => never);
}

async function run(pulling: Pulling): Promise<number> {
  const { context, built, reporter, stop } = pulling;
  let opened: Prepared;
  try {
    opened = await prepare(pulling);
  } catch (error) {
    const early = stoppedEarly(pulling);
    if (early !== undefined) return early;
    throw error;
  }
  const { worker } = opened;
  let { session } = opened;
  try {
    const started = await session.client.startPull(opened.request, siteOf(built));
    // Nobody else moves its bytes: whoever started it is gone.
    const isAlone = worker?.isShared === false;
    const isOwn = !started.joined || started.wasPaused || session.isFresh || isAlone;
    const label: PullLabel = {
      pullId: started.pullId,
      joined: !isOwn,
      goesOn: started.joined && isOwn,
      source: redactUri(built.request.source.uri),
      destination: built.request.destination.path,
      temporal: built.isHere ? `${session.label}, fetched by this host` : session.label,
      skipsExisting: built.request.ifExists === 'skip',
      command: againCommand(process.argv.slice(2), context.redactor),
      ...logsOf(session, context.config),
    };
    reporter.started(label);
    if (started.tuned !== undefined) {
      reporter.remark(
        `it was started with other limits; from now on: ${limitsText(started.tuned)}`,
      );
    }
    if (context.flags['detach'] === true) stop.stop('detach');
    const follow = (run: StartedPull): Promise<Followed> =>
      Promise.race([failed(worker), following(run)]);
    const following = ({ pullId, runId }: StartedPull): Promise<Followed> =>
      followPull({
        pullId,
        run: { runId, destination: built.request.destination.path },
        session,
        reporter,
        signal: stop.signal,
        ...siteOf(built),
        isHere: built.isHere,
        reopen: async () => (session = (await prepare(pulling)).session),
        restart: ({ client }) => client.startPull(opened.request, siteOf(built)),
      });
    let followed = await follow(started);
    session = followed.session;
    if (label.goesOn && followed.result?.code === 'WB_DESTINATION_OWNED') {
      // The run that stood still is out of date: since then the destination was another run's, of another database perhaps.
      followed = await follow(await session.client.startPull(opened.request, siteOf(built)));
      session = followed.session;
    }
    const { last } = followed;
    const result = followed.result && session.isLocal ? seenHere(followed.result) : followed.result;
    if (result) {
      const receiptOut = textFlag(context.flags, 'receiptOut');
      const problem = receiptOut === undefined ? undefined : copyReceipt(result, receiptOut);
      if (problem !== undefined) reporter.remark(problem);
      reporter.finish(result, label);
      return result.exitCode;
    }
    const { pullId, destination, command } = label;
    const reason = stop.reason ?? 'interrupt';
    if (reason !== 'detach' && isOwn && (session.isLocal || built.isHere)) {
      reporter.remark('pausing at the next part; Ctrl-C again leaves at once');
    }
    const stopped = await leavePull({
      session,
      pullId,
      destination,
      command,
      reason,
      isOwn,
      isHere: built.isHere,
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
    await worker?.stop();
    await session.close();
  }
}

function refuseDetached(context: CommandContext, isInline: boolean, isHere: boolean): void {
  if (context.flags['detach'] !== true) return;
  if (isHere) {
    throw new WaybillError(
      'WB_USAGE',
      '--detach needs a worker that outlives the command, and with --here the command is the worker; ' +
        'leave one of the two away',
    );
  }
  if (!isInline) return;
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
    if (config.temporal.kind === 'cluster' && !built.isHere) {
      throw new WaybillError(
        'WB_UNSUPPORTED',
        '--dry-run looks at this host; add --here or --local',
      );
    }
    const { runDryRun } = await import('./dry-run.js');
    return runDryRun(context, built);
  }
  context.subject.outlivesReader = true;
  const receiptOut = textFlag(flags, 'receiptOut');
  if (receiptOut !== undefined) checkReceiptOut(receiptOut);
  const isInline = config.temporal.kind === 'local' && config.temporal.mode === 'inline';
  refuseDetached(context, isInline, built.isHere);
  const canKey = process.stdin.isTTY && process.stderr.isTTY && !output.isJson && !output.isQuiet;
  const canDetach = !isInline && !built.isHere;
  const isAway = config.temporal.kind === 'cluster' && !built.isHere;
  const verb = isAway ? 'stops watching' : 'pauses it';
  const hint = !canDetach
    ? 'Ctrl-C pauses it'
    : `Ctrl-C ${verb}${canKey ? ', d sends it to the background' : ''}`;
  const shown = redactUri(built.request.source.uri);
  const reporter = await chooseReporter(context, shown, hint);
  for (const notice of built.notices) reporter.prelude(notice);
  const stop = new StopSwitch((exitCode) => {
    const command = againCommand(process.argv.slice(2), redactor);
    const standsStill = isInline || built.isHere;
    reporter.stopped(
      leftAtOnce(exitCode, built.request.destination.path, { command, standsStill }),
    );
    process.exit(exitCode);
  });
  const stopKeys = canKey
    ? listenForKeys(process.stdin, {
        onInterrupt: () => stop.stop('interrupt'),
        onDetach: () => {
          if (canDetach) stop.stop('detach');
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
