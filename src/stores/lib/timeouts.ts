/** How long a connection may take to open, to answer, and to stay silent. */
import { WaybillError } from '../../model/errors.js';
import type { ConnectionSettings } from '../store.js';

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

const UNITS = { ms: 1, s: 1_000, m: 60_000 } as const;

/** Reads WAYBILL_CONNECT_TIMEOUT and WAYBILL_STALL_TIMEOUT (`500ms`, `90s`, `2m`); the latter also bounds the headers. */
export function readTimeouts(settings: ConnectionSettings): Timeouts {
  const stallMs = readDurationMs(settings, 'WAYBILL_STALL_TIMEOUT');
  return {
    connectMs: readDurationMs(settings, 'WAYBILL_CONNECT_TIMEOUT') ?? DEFAULTS.connectMs,
    headersMs: stallMs ?? DEFAULTS.headersMs,
    stallMs: stallMs ?? DEFAULTS.stallMs,
  };
}

function readDurationMs(settings: ConnectionSettings, name: string): number | undefined {
  const text = settings[name];
  if (text === undefined || text === '') return undefined;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text);
  const unit =
    match?.[2] === 'ms' || match?.[2] === 's' || match?.[2] === 'm' ? match[2] : undefined;
  const durationMs = unit === undefined ? 0 : Math.round(Number(match?.[1]) * UNITS[unit]);
  if (durationMs > 0) return durationMs;
  throw new WaybillError(
    'WB_CONFIG_INVALID',
    `${name} is not a duration such as 90s or 2m: ${text}`,
    {
      operation: 'open',
    },
  );
}
