/** `waybill worker`: serves the pulls of a Temporal cluster until it is stopped. */
import { WaybillError } from '../../model/errors.js';
import { parseWorkerArguments, runWorker as serve } from '../../worker.js';
import { textFlag, type CommandContext } from '../context.js';
import { StopSwitch } from '../stop.js';

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
  const worker = parseWorkerArguments([
    '--address',
    temporal.address,
    ...(temporal.namespace === undefined ? [] : ['--namespace', temporal.namespace]),
    ...(site === undefined ? [] : ['--site', site]),
  ]);
  const stop = new StopSwitch((exitCode) => process.exit(exitCode));
  stop.signal.addEventListener('abort', () => output.say('draining; once more to leave at once'));
  const where = site === undefined ? '' : `, destinations ${site}:/...`;
  output.say(`worker for Temporal at ${temporal.address}${where}; Ctrl-C drains and ends it`);
  if (output.isJson) {
    output.json({ type: 'serving', address: temporal.address, site: site ?? null });
  }
  await serve(worker, stop.signal);
  if (output.isJson) output.jsonResult();
  return 0;
}
