/** `waybill up` and `waybill down`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { findOrStartService, findService, stopService } from '../../service/find-or-start.js';
import type { ControlClient } from '../../service/control-client.js';
import type { Meeting } from '../../service/meeting.js';
import { endOrphans, endSilent } from '../../service/take-over.js';
import { WaybillError } from '../../model/errors.js';
import type { CommandContext } from '../context.js';

const SILENT_AFTER_MS = 10_000;

/** Starts the local service, or finds it, and keeps it until `down`. */
export async function runUp({ config, output }: CommandContext): Promise<number> {
  if (config.temporal.kind === 'cluster') {
    throw new WaybillError(
      'WB_USAGE',
      `${config.temporal.why} chooses a cluster, which nobody starts from here; add --local`,
    );
  }
  const service = await findOrStartService({
    stateDir: config.stateDir,
    cacheDir: config.cacheDir,
    temporalCli: config.temporalCli,
    metricsBind: config.settings.get('service-metrics-bind')?.text,
    // A service that is to stay cannot be this command's child.
    mode: 'background',
    onProgress: (line) => output.say(line),
  });
  try {
    await service.control.keep(true);
    const { address, uiAddress, isStarted } = service;
    if (output.isJson) {
      output.jsonResult({ address, uiAddress, isStarted, stateDir: config.stateDir });
    } else {
      output.say(isStarted ? 'The local service runs.' : 'The local service runs already.');
      output.result(`Temporal ${address}, its pages ${uiAddress}`);
      output.say('It stays until: waybill down');
    }
    return 0;
  } finally {
    await service.close();
  }
}

/** Stops the local service. One with running pulls is stopped with --force only; the next start goes on with them. */
export async function runDown({ config, output, flags }: CommandContext): Promise<number> {
  const control = await findService(config.stateDir);
  if (!control) {
    const wasRunning = await endOrphans(config.stateDir);
    if (output.isJson) output.jsonResult({ wasRunning });
    else if (wasRunning) output.say('The local service had been killed; what it left is ended.');
    else output.say('No local service runs.');
    return 0;
  }
  try {
    // A service of any version is ended: that is how an older or newer one is replaced (rule 9).
    const status = await meet(control, flags['force'] === true);
    if (status === undefined) {
      await endSilent(config.stateDir);
      if (output.isJson) output.jsonResult({ wasRunning: true });
      else output.say('The local service did not answer; it is ended, with what it had started.');
      return 0;
    }
    const open = status.openPulls ?? 0;
    if (open > 0 && flags['force'] !== true) {
      throw new WaybillError(
        'WB_CONFLICT',
        `${open === 1 ? 'a pull is' : `${open} pulls are`} running; wait, pause, or add --force: ` +
          'the next waybill command goes on with what is open',
        { scope: 'request' },
      );
    }
    await stopService(control, status);
    if (output.isJson) output.jsonResult({ wasRunning: true });
    else output.say('The local service is stopped.');
    return 0;
  } finally {
    control.close();
  }
}

/** What the service says of itself; undefined when it is to be ended whatever it says, and says nothing for ten seconds. */
async function meet(control: ControlClient, isForced: boolean): Promise<Meeting | undefined> {
  if (!isForced) return control.meet();
  const gaveUp = new AbortController();
  const silence = sleep(SILENT_AFTER_MS, undefined, { signal: gaveUp.signal }).catch(
    () => undefined,
  );
  try {
    return await Promise.race([control.meet(), silence]);
  } finally {
    gaveUp.abort();
  }
}
