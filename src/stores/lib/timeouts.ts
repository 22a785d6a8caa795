/** How long a connection may take to open, to answer, and to stay silent. */
import { WaybillError } from '../../model/errors.js';
import { parseDuration } from '../../model/sizes.js';
import type { ConnectionSettings, Patience } from '../store.js';

/** All in milliseconds. */
export interface Timeouts {
  readonly connectMs: number;
  /** From the request to the answer's headers. */
  readonly headersMs: number;
  /** Between two pieces of a body. */
  readonly stallMs: number;
}

/** A proxied MLflow answers its first byte only after fetching the whole object: 2 minutes, its client's own limit. */
const DEFAULTS: Timeouts = { connectMs: 10_000, headersMs: 120_000, stallMs: 60_000 };

/**
 * Reads WAYBILL_CONNECT_TIMEOUT and WAYBILL_STALL_TIMEOUT (`500ms`, `90s`, `2m`); the latter also bounds the headers. Without
 * it, what MLflow's users have set for its object stores does, in seconds.
 */
export function readTimeouts(settings: ConnectionSettings): Timeouts {
  const stallMs = readDurationMs(settings, 'WAYBILL_STALL_TIMEOUT') ?? readMlflowMs(settings);
  return {
    connectMs: readDurationMs(settings, 'WAYBILL_CONNECT_TIMEOUT') ?? DEFAULTS.connectMs,
    headersMs: stallMs ?? DEFAULTS.headersMs,
    stallMs: stallMs ?? DEFAULTS.stallMs,
  };
}

/**
 * The patience of a store that keeps to these time-outs and no others.
 * @throws WB_CONFIG_INVALID as `readTimeouts`
 */
export function patience(settings: ConnectionSettings): Patience {
  const { headersMs, stallMs } = readTimeouts(settings);
  return { answerMs: headersMs, stallMs };
}

/** What MLflow's users have set: the second is what it had before 2.x for Google alone, and only that store takes it. */
const MLFLOWS = ['MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT', 'MLFLOW_GCS_DEFAULT_TIMEOUT'];

/** Its -1, for ever, is left to Waybill's own limit of silence, which every byte renews. */
function readMlflowMs(settings: ConnectionSettings): number | undefined {
  const name = MLFLOWS.find((one) => (settings[one]?.trim() ?? '') !== '');
  if (name === undefined) return undefined;
  const text = settings[name]?.trim() ?? '';
  const seconds = Number(text);
  if (Number.isNaN(seconds)) {
    const message = `${name}: "${text}" is no number of seconds`;
    throw new WaybillError('WB_CONFIG_INVALID', message, { operation: 'open' });
  }
  return seconds > 0 ? seconds * 1_000 : undefined;
}

function readDurationMs(settings: ConnectionSettings, name: string): number | undefined {
  const text = settings[name];
  if (text === undefined || text === '') return undefined;
  try {
    return parseDuration(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new WaybillError('WB_CONFIG_INVALID', `${name}: ${why}`, { operation: 'open' });
  }
}
