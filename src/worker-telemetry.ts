/** What a worker shows to operators. Nothing of it is loaded where nobody has asked for it. */
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { AttemptWatcher } from './activities/watch.js';
import { asWaybillError } from './model/errors.js';
import { readWaybillVersion } from './service/version.js';
import { StoreRegistry } from './stores/registry.js';
import { logAttempts, watchTogether } from './telemetry/attempt-log.js';
import type { Readiness } from './telemetry/health.js';
import type { WorkerMetrics } from './telemetry/metrics.js';
import type { Traces } from './telemetry/traces.js';
import type { WorkerQueues } from './worker-queues.js';

/** What is asked for; absent: not. */
export interface TelemetryOptions {
  /** HOST:PORT for Prometheus. */
  readonly metricsBind?: string;
  /** HOST:PORT for the probes of an orchestrator. */
  readonly healthBind?: string;
  /** OpenTelemetry's variables, those that are set. */
  readonly traceVariables?: Readonly<Record<string, string>>;
  /** The local service goes on without what cannot be had; a worker of a cluster refuses to start. */
  readonly isBestEffort: boolean;
}

/** The telemetry of one worker. */
export interface WorkerTelemetry {
  readonly watcher: AttemptWatcher;
  /** From now on these are what is ready or not. */
  serve(queues: WorkerQueues): void;
  /** The worker was asked to end. */
  drain(): void;
  close(): Promise<void>;
}

/** Temporal is asked every five seconds, and may take as long to answer. */
const UNREACHABLE_AFTER_MS = 15_000;

type Metrics = NonNullable<Parameters<typeof Runtime.install>[0]['telemetryOptions']>['metrics'];

function installRuntime(log: Logger, metrics: Metrics): void {
  const levels = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' };
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('WARN', ({ level, message, meta }) => {
      // Each of the two workers of this process serves one kind of task, as it should.
      if (/^No (activities|workflows) registered/.test(message)) return;
      const name = levels[level];
      if (name === 'error') log.error(meta ?? {}, message);
      else log.warn(meta ?? {}, message);
    }),
    telemetryOptions: {
      logging: { forward: {}, filter: { core: 'WARN', other: 'ERROR' } },
      ...(metrics === undefined ? {} : { metrics }),
    },
  });
}

/** Installs the runtime of the SDK, with its exporter. Throws WB_USAGE where its address cannot be had. */
async function installWithMetrics(log: Logger, bind: string): Promise<WorkerMetrics> {
  const [{ cannotListen, checkListenAddress }, { createWorkerMetrics }] = await Promise.all([
    import('./service/listen-address.js'),
    import('./telemetry/metrics.js'),
  ]);
  const { text } = await checkListenAddress('--metrics-bind', bind);
  try {
    installRuntime(log, {
      attachServiceName: false,
      prometheus: {
        bindAddress: text,
        countersTotalSuffix: true,
        unitSuffix: true,
        useSecondsForDurations: true,
      },
    });
  } catch (error) {
    throw cannotListen('--metrics-bind', bind, error);
  }
  return createWorkerMetrics(
    Runtime.instance().metricMeter,
    readWaybillVersion(),
    new StoreRegistry().factories.map(({ name }) => name),
  );
}

async function openMetrics(
  log: Logger,
  { metricsBind, isBestEffort }: TelemetryOptions,
): Promise<WorkerMetrics | undefined> {
  if (metricsBind !== undefined) {
    try {
      return await installWithMetrics(log, metricsBind);
    } catch (error) {
      if (!isBestEffort) throw error;
      log.warn({ reason: asWaybillError(error).message }, 'there are no metrics');
    }
  }
  installRuntime(log, undefined);
  return undefined;
}

async function openHealth(
  bind: string | undefined,
  readiness: () => Readiness,
): Promise<(() => void) | undefined> {
  if (bind === undefined) return undefined;
  const [{ cannotListen, checkListenAddress }, { listenHealth }] = await Promise.all([
    import('./service/listen-address.js'),
    import('./telemetry/health.js'),
  ]);
  const address = await checkListenAddress('--health-bind', bind);
  try {
    const server = await listenHealth(address, readiness);
    return () => {
      server.close();
      server.closeAllConnections();
    };
  } catch (error) {
    throw cannotListen('--health-bind', bind, error);
  }
}

/** Nothing is loaded, and nothing sent, where no collector is named. */
async function openTraces(
  log: Logger,
  variables: Readonly<Record<string, string>> = {},
): Promise<Traces | undefined> {
  if (Object.keys(variables).length === 0) return undefined;
  const { createTraces, traceTargetOf } = await import('./telemetry/traces.js');
  const target = traceTargetOf(variables);
  if (target === undefined) return undefined;
  return createTraces(target, readWaybillVersion(), (reason) =>
    log.warn({ reason }, 'traces cannot be sent; they are kept for a while'),
  );
}

/**
 * Installs the runtime of the SDK and opens what is asked for. To be called before the first connection.
 * @throws WB_USAGE where an address cannot be listened at
 */
export async function openTelemetry(
  log: Logger,
  options: TelemetryOptions,
): Promise<WorkerTelemetry> {
  let queues: WorkerQueues | undefined;
  let isDraining = false;
  const readiness = (): Readiness => {
    if (isDraining) return 'draining';
    if (queues === undefined) return 'connecting';
    const { isPolling, silentForMs } = queues.health();
    if (!isPolling) return 'draining';
    return silentForMs > UNREACHABLE_AFTER_MS ? 'unreachable' : 'ready';
  };
  const metrics = await openMetrics(log, options);
  const closeHealth = await openHealth(options.healthBind, readiness);
  metrics?.observe(() => ({
    isReady: readiness() === 'ready',
    silentForMs: queues?.health().silentForMs ?? 0,
  }));
  const traces = await openTraces(log, options.traceVariables);
  const watchers = [
    logAttempts((facts, message) => log.warn(facts, message)),
    ...(metrics === undefined ? [] : [metrics.watcher]),
    ...(traces === undefined ? [] : [traces.watcher]),
  ];
  return {
    watcher: watchTogether(watchers),
    serve: (started) => {
      queues = started;
      metrics?.look();
    },
    drain: () => {
      isDraining = true;
      metrics?.look();
    },
    close: async () => {
      metrics?.close();
      closeHealth?.();
      await traces?.close();
    },
  };
}
