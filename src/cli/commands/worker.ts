/** `waybill worker`: serves the pulls of a Temporal cluster until it is stopped. */
import { WaybillError } from '../../model/errors.js';
import { parseWorkerArguments } from '../../worker-arguments.js';
import { tuneForBytes } from '../../service/worker-flags.js';
import { runWorker as serve } from '../../run-worker.js';
import { openWorkerLog } from '../../worker-log.js';
import { isSiteName } from '../request/destination.js';
import { textFlag, type CommandContext } from '../context.js';
import { StopSwitch } from '../stop.js';

/** Settings that the worker gets as they were written. */
const WORKER_SETTINGS = ['metrics-bind', 'health-bind', 'grace', 'log-format'] as const;

/** A site that no destination can name would wait for ever. */
function checkSite(site: string): void {
  if (isSiteName(site)) return;
  throw new WaybillError(
    'WB_USAGE',
    `--site ${JSON.stringify(site)} is no name of a site: letters, digits, "-", "_" and ".", such as gpu1 ("any" is what a worker without --site serves)`,
  );
}

/** Runs a worker; Ctrl-C and SIGTERM drain it, and it then ends with 0. */
export async function runWorker({
  config,
  output,
  flags,
  subject,
}: CommandContext): Promise<number> {
  const { temporal } = config;
  if (temporal.kind !== 'cluster') {
    throw new WaybillError(
      'WB_USAGE',
      'which Temporal? Use --cluster HOST:PORT or set TEMPORAL_ADDRESS; the local service has its own worker',
    );
  }
  subject.outlivesReader = true;
  const site = textFlag(flags, 'site');
  if (site !== undefined) checkSite(site);
  const settings = WORKER_SETTINGS.flatMap((name) => {
    const text = config.settings.get(name)?.text;
    return text === undefined ? [] : [`--${name}`, text];
  });
  const worker = {
    logFormat: process.stderr.isTTY ? ('text' as const) : ('json' as const),
    ...parseWorkerArguments([
      '--address',
      temporal.address,
      ...(temporal.namespace === undefined ? [] : ['--namespace', temporal.namespace]),
      ...(site === undefined ? [] : ['--site', site]),
      ...settings,
    ]),
  };
  // In JSON every line of stderr is a line of the log.
  const log = worker.logFormat === 'json' ? openWorkerLog('json') : undefined;
  const say = (text: string): void => (log === undefined ? output.say(text) : log.info(text));
  const stop = new StopSwitch((exitCode) => process.exit(exitCode));
  stop.signal.addEventListener('abort', () => say('draining; once more to leave at once'));
  const where = site === undefined ? '' : `, destinations ${site}:/...`;
  say(`worker for Temporal at ${temporal.address}${where}; Ctrl-C drains and ends it`);
  if (output.isJson) {
    output.json({ type: 'serving', address: temporal.address, site: site ?? null });
  }
  tuneForBytes();
  await serve(worker, stop.signal);
  if (output.isJson) output.jsonResult();
  return 0;
}
