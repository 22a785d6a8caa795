/** The two Temporal workers of one process: one for the workflows, one for the bytes. */
import {
  NativeConnection,
  Worker,
  type WorkerOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { AttemptDeps } from './activities/attempt.js';
import { createActivities } from './activities/activities.js';
import { refuseUnsigned } from './activities/refuse-unsigned.js';
import { translate } from './client/translate.js';
import { converterOptions, type CodecKeys } from './codec/payload-codecs.js';
import { WaybillError } from './model/errors.js';
import type { TransferEngine } from './transfer/api.js';
import { UnitSlots } from './unit-slots.js';

/** The prebuilt bundle: a worker starts in a quarter of a second with it. */
const BUNDLE = fileURLToPath(new URL('../workflow-bundle.js', import.meta.url));

/** How often it is tried to reach Temporal again, and how often a reached one is asked. */
const CONNECT_EVERY_MS = 250;
const CONTACT_EVERY_MS = 5_000;

/** Below the 30 s that Kubernetes gives by default. */
const DEFAULT_GRACE_MS = 20_000;

/** Units at once. Each is parallel in itself, and the engine bounds connections and threads. */
const UNITS_AT_ONCE = 24;

/** How long a worker that does not see a destination keeps what it was given for it. */
const HOLD_MS = 5_000;

/** Where other workers serve the same queue. A pull has at most 96 units open for a worker: one alone never fills it. */
const UNITS_OF_ONE = {
  usual: 6,
  patienceMs: 5_000,
  many: UNITS_AT_ONCE,
  longPatienceMs: 30_000,
  most: 5 * UNITS_AT_ONCE,
};

/** Where this worker is the only one: a pull of large files over a slow line has 48 open, and the next one is not stuck behind them. */
const UNITS_OF_ALL = { ...UNITS_OF_ONE, usual: UNITS_AT_ONCE, many: 2 * UNITS_AT_ONCE };

/** What a worker is made of. */
export interface WorkerQueuesOptions extends CodecKeys {
  readonly address: string;
  readonly namespace?: string;
  readonly tls?: NonNullable<Parameters<typeof NativeConnection.connect>[0]>['tls'];
  readonly apiKey?: string;
  /** Headers for every call. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly identity: string;
  /** Task queues that it serves. `workflows` absent: only bytes. `transfer`: each with the same activities. */
  readonly queues: { readonly workflows?: string; readonly transfer: readonly string[] };
  readonly engine: TransferEngine;
  /** Shorter waits, for a Temporal on the same machine that nobody else loads. */
  readonly isLocal: boolean;
  readonly onUnexpected?: AttemptDeps['onUnexpected'];
  readonly watcher?: AttemptDeps['watcher'];
  /** How long units may go on after `stop` until they are handed back. */
  readonly graceMs?: number;
  /** How long Temporal may be unreachable at the start; default a minute. */
  readonly connectForMs?: number;
  readonly workflowBundle?: WorkflowBundleOption;
}

/** A worker that polls. */
export interface WorkerQueues {
  /** Settles when polling has ended: after `stop`, or with the error that ended it. */
  readonly ended: Promise<void>;
  /** Whether it asks for work, and how long Temporal has not answered. */
  health(): { readonly isPolling: boolean; readonly silentForMs: number };
  /** Drains: what runs is handed back within the grace time. */
  stop(): Promise<void>;
}

async function connect(options: WorkerQueuesOptions): Promise<NativeConnection> {
  const until = performance.now() + (options.connectForMs ?? 60_000);
  for (;;) {
    try {
      return await NativeConnection.connect({
        address: options.address,
        ...(options.tls === undefined ? {} : { tls: options.tls }),
        ...(options.apiKey === undefined ? {} : { apiKey: options.apiKey }),
        ...(options.metadata === undefined ? {} : { metadata: { ...options.metadata } }),
      });
    } catch (error) {
      if (performance.now() > until) {
        const known = translate(error, `connect to Temporal at ${options.address}`);
        throw new WaybillError('WB_TEMPORAL_UNREACHABLE', known.message, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, CONNECT_EVERY_MS));
    }
  }
}

/** The other kinds of tasks have the SDK's own numbers; this worker gets none of them. */
function slotsFor(isLocal: boolean): Pick<WorkerOptions, 'tuner'> {
  const few = { type: 'fixed-size', numSlots: 2 } as const;
  return {
    tuner: {
      workflowTaskSlotSupplier: few,
      activityTaskSlotSupplier: new UnitSlots(isLocal ? UNITS_OF_ALL : UNITS_OF_ONE),
      localActivityTaskSlotSupplier: few,
      nexusTaskSlotSupplier: few,
    },
  };
}

/** Asks Temporal now and then, so that attempts can tell whether they are alone (rule 13). */
function watchContact(connection: NativeConnection): {
  silentForMs: () => number;
  end: () => void;
} {
  let contactAt = performance.now();
  const ask = async (): Promise<void> => {
    try {
      await connection.withDeadline(Date.now() + CONTACT_EVERY_MS, () =>
        connection.workflowService.getSystemInfo({}),
      );
      contactAt = performance.now();
    } catch {
      // The silence itself is the news.
    }
  };
  const timer = setInterval(() => void ask(), CONTACT_EVERY_MS);
  timer.unref();
  return {
    silentForMs: () => performance.now() - contactAt,
    end: () => clearInterval(timer),
  };
}

/**
 * Connects, and starts to poll.
 * @throws WB_TEMPORAL_UNREACHABLE when Temporal does not answer for a minute
 */
export async function startWorkerQueues(options: WorkerQueuesOptions): Promise<WorkerQueues> {
  const { engine, isLocal, identity } = options;
  const namespace = options.namespace ?? 'default';
  const connection = await connect(options);
  const contact = watchContact(connection);
  const { onUnexpected, watcher } = options;
  const activities = createActivities({
    engine,
    silentForMs: contact.silentForMs,
    ...(isLocal ? {} : { shared: { host: hostname(), holdMs: HOLD_MS } }),
    ...(onUnexpected === undefined ? {} : { onUnexpected }),
    ...(watcher === undefined ? {} : { watcher }),
  });
  // An orchestrator's grace time has to be longer than this.
  const shutdownGraceTime = options.graceMs ?? (isLocal ? 5_000 : DEFAULT_GRACE_MS);
  const { payloadKey } = options;
  const converter = converterOptions(options);
  const shared = { connection, namespace, identity, shutdownGraceTime, ...converter } as const;
  const { workflows } = options.queues;
  const workers = await Promise.all([
    ...(workflows === undefined ? [] : [workflows]).map((taskQueue) =>
      Worker.create({
        ...shared,
        taskQueue,
        workflowBundle: options.workflowBundle ?? { codePath: BUNDLE },
        // How long a task waits for a worker that is gone before any other gets it.
        stickyQueueScheduleToStartTimeout: isLocal ? '2s' : '5s',
        maxCachedWorkflows: 100,
      }),
    ),
    ...options.queues.transfer.map((taskQueue) =>
      Worker.create({
        ...shared,
        taskQueue,
        activities: { ...activities },
        ...(payloadKey === undefined ? {} : { interceptors: { activity: [refuseUnsigned] } }),
        ...slotsFor(isLocal),
        // Cancelling and pausing are noticed at a heartbeat.
        maxHeartbeatThrottleInterval: isLocal ? '1s' : '5s',
        defaultHeartbeatThrottleInterval: isLocal ? '1s' : '5s',
      }),
    ),
  ]);
  const shutdown = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  const runs = workers.map((worker) =>
    worker.run().finally(() => {
      // One without the other is no worker.
      shutdown();
    }),
  );
  const ended = Promise.allSettled(runs).then(async (ends) => {
    contact.end();
    await connection.close();
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw translate(failed.reason, 'keep the worker running');
  });
  return {
    ended,
    health: () => ({
      isPolling: workers.every((worker) => worker.getState() === 'RUNNING'),
      silentForMs: contact.silentForMs(),
    }),
    stop: async () => {
      shutdown();
      await ended;
    },
  };
}
