/** The command line of the worker's script. */
import { parseArgs } from 'node:util';
import { clusterOptions } from './client/cluster.js';
import type { ClientOptions } from './client/types.js';
import { readConfig } from './config.js';
import { WaybillError } from './model/errors.js';
import { parseDuration } from './model/sizes.js';
import type { LogFormat } from './worker-log.js';

/** How a worker is started. */
export interface WorkerConfig {
  readonly connection: ClientOptions;
  /** Serves `<prefix>-transfer.<site>` instead of `<prefix>-transfer`. */
  readonly site?: string;
  /** HOST:PORT where Prometheus finds the metrics; absent: nowhere. */
  readonly metricsBind?: string;
  /** HOST:PORT of `/healthz` and `/readyz`; absent: nowhere. */
  readonly healthBind?: string;
  /** How long units may go on once the worker was asked to end. */
  readonly graceMs?: number;
  readonly logFormat?: LogFormat;
  /** Set by the local service. */
  readonly local?: {
    readonly stateDir: string;
    readonly controlSocket: string;
    readonly previousIdentity?: string;
  };
}

const OPTIONS = [
  ...['state-dir', 'address', 'control-socket', 'previous-identity', 'namespace', 'site'],
  ...['metrics-bind', 'health-bind', 'grace', 'log-format'],
];

/** What both kinds of worker may be asked for. */
function commonConfig(text: (name: string) => string | undefined): Partial<WorkerConfig> {
  const [metricsBind, healthBind, grace] = [
    text('metrics-bind'),
    text('health-bind'),
    text('grace'),
  ];
  const format = text('log-format');
  return {
    ...(metricsBind === undefined ? {} : { metricsBind }),
    ...(healthBind === undefined ? {} : { healthBind }),
    ...(grace === undefined ? {} : { graceMs: parseDuration(grace) }),
    ...(format === 'text' || format === 'json' ? { logFormat: format } : {}),
  };
}

/** The command line of the script. Throws WB_USAGE. */
export function parseWorkerArguments(argv: readonly string[]): WorkerConfig {
  const options = Object.fromEntries(OPTIONS.map((name) => [name, { type: 'string' as const }]));
  let values: Record<string, string | boolean | undefined>;
  try {
    const all = { ...options, local: { type: 'boolean' as const } };
    values = parseArgs({ args: [...argv], options: all, strict: true }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new WaybillError('WB_USAGE', `the worker's arguments: ${message}`, { cause: error });
  }
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === 'string' ? value : undefined;
  };
  if (values['local'] !== true) return clusterConfig(text);
  const [stateDir, address, controlSocket, previousIdentity] = [
    text('state-dir'),
    text('address'),
    text('control-socket'),
    text('previous-identity'),
  ];
  if (stateDir === undefined || address === undefined || controlSocket === undefined) {
    throw new WaybillError('WB_USAGE', '--local needs --state-dir, --address, --control-socket');
  }
  const previous = previousIdentity === undefined ? {} : { previousIdentity };
  return {
    ...commonConfig(text),
    connection: { address },
    local: { stateDir, controlSocket, ...previous },
  };
}

/** Temporal's own variables and profile say where the cluster is; flags say it first. */
function clusterConfig(text: (name: string) => string | undefined): WorkerConfig {
  const flags = { cluster: text('address'), namespace: text('namespace') };
  const { temporal } = readConfig({ flags });
  if (temporal.kind !== 'cluster') {
    throw new WaybillError(
      'WB_USAGE',
      'which Temporal? Set TEMPORAL_ADDRESS, or use --address HOST:PORT',
    );
  }
  const site = text('site');
  return {
    ...commonConfig(text),
    connection: clusterOptions(temporal),
    ...(site === undefined ? {} : { site }),
  };
}
