/**
 * What the local service and its worker say to each other over the child-process channel, and how the
 * service starts it:
 *
 *   node dist/src/worker.js --local --state-dir S --address 127.0.0.1:P --control-socket PATH
 *        [--previous-identity ID] [--metrics-bind HOST:PORT]
 *
 * The worker writes nothing on stdout (stderr is its log). It is started beside Temporal, not after it:
 * it keeps trying to connect for a minute. It sends `ready` once it polls, answers a `how-busy` with `alive` at once and
 * with a `busy` of its number that is no older than the question, and drains on SIGTERM. One that says nothing for a minute
 * is killed and started again. `--previous-identity` names a worker that is proven dead: its running activities
 * can be handed back at once instead of after their heartbeat timeout. When the channel closes, the service
 * is gone: the worker goes on with what it has, the next `waybill` command starts a new service, which ends it. Where
 * none would find it, or its Temporal is gone too, it ends by itself (left-behind.ts).
 */
import * as z from 'zod';

const workerMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('ready'),
    /** The Temporal identity under which it polls. */
    identity: z.string().min(1).max(1000),
  }),
  /** At once after each question: the answer itself may take a while. */
  z.strictObject({ type: z.literal('alive') }),
  z.strictObject({
    type: z.literal('busy'),
    /** Pulls that are open and not paused. */
    openPulls: z.number().int().nonnegative(),
    /** What it answers. */
    question: z.number().int().positive(),
  }),
]);

const serviceMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('how-busy'),
    /** Counts up: an answer to an earlier one may be of a pull that has ended since. */
    question: z.number().int().positive(),
  }),
]);

/** From the worker to the service. */
export type WorkerMessage = z.infer<typeof workerMessageSchema>;

/** From the service to the worker. */
export type ServiceMessage = z.infer<typeof serviceMessageSchema>;

/** Reads what came from the worker; undefined if it is none of its messages. */
export function parseWorkerMessage(value: unknown): WorkerMessage | undefined {
  return workerMessageSchema.safeParse(value).data;
}

/** Reads what came from the service; undefined if it is none of its messages. */
export function parseServiceMessage(value: unknown): ServiceMessage | undefined {
  return serviceMessageSchema.safeParse(value).data;
}

/** How the service starts its worker. */
export interface WorkerArguments {
  readonly stateDir: string;
  /** Temporal's gRPC address, `127.0.0.1:P`. */
  readonly address: string;
  /** Path of the control socket, for `get-credentials`. */
  readonly controlSocket: string;
  readonly previousIdentity?: string;
  /** Where it shows its metrics; it goes on without where that cannot be. */
  readonly metricsBind?: string;
}

/** The arguments behind the worker's script. */
export function formatWorkerArguments(args: WorkerArguments): string[] {
  return [
    '--local',
    ...['--state-dir', args.stateDir],
    ...['--address', args.address],
    ...['--control-socket', args.controlSocket],
    ...(args.previousIdentity === undefined ? [] : ['--previous-identity', args.previousIdentity]),
    ...(args.metricsBind === undefined ? [] : ['--metrics-bind', args.metricsBind]),
  ];
}
