/**
 * The client of Waybill: starts pulls, watches them and steers them. It talks to Temporal only, and loads none of
 * the worker's native parts.
 *
 * ```ts
 * const client = await WaybillClient.connect({ address: '127.0.0.1:7233' });
 * const { pullId } = await client.startPull(request);
 * for await (const status of client.watch(pullId)) console.log(status.progress.bytesDone);
 * const result = await client.result(pullId);
 * await client.close();
 * ```
 *
 * Every method throws WaybillError only: WB_TEMPORAL_UNREACHABLE where Temporal does not answer, WB_NOT_FOUND where
 * it does not know the pull, and what is said at the method.
 */
import { Client, Connection, makeGrpcRetryInterceptor } from '@temporalio/client';
import { hostname } from 'node:os';
import { WaybillError } from './model/errors.js';
import type { PullLimits, PullRequest, PullResult, PullStatus } from './model/pull.js';
import { resultOf } from './client/ended.js';
import { checkMayServe } from './client/may-serve.js';
import { engineIdOf } from './client/engine-id.js';
import { findPull, listPulls } from './client/find.js';
import { handBackWork } from './client/hand-back.js';
import { isServed, liveWorkersOf, pollersOf, type Queues } from './client/pollers.js';
import { KeptCounts } from './client/kept-counts.js';
import { Ratchet } from './client/ratchet.js';
import { Retries } from './client/retries.js';
import { queuesOf, replacePull, startPull } from './client/start.js';
import { readStatus } from './client/status.js';
import { endStuckShard, findStuck } from './client/stuck.js';
import { memoOf, signalWord } from './client/trust.js';
import { converterOptions } from './codec/payload-codecs.js';
import { isRunOpen } from './client/find.js';
import { reach, translate } from './client/translate.js';
import type {
  ClientOptions,
  KnownRun,
  ListOptions,
  PullSummary,
  StartOptions,
  StartedPull,
  WatchOptions,
} from './client/types.js';
import { watchStatus } from './client/watch.js';
import { SIGNALS } from './workflows/messages.js';

export type {
  ClientOptions,
  KnownRun,
  ListOptions,
  PullSummary,
  StartOptions,
  StartedPull,
  WatchOptions,
} from './client/types.js';
export type {
  PullLimits,
  PullProgress,
  PullRequest,
  PullResult,
  PullStatus,
} from './model/pull.js';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

/** A connection to one namespace of one Temporal. */
export class WaybillClient {
  private constructor(
    private readonly connection: Connection,
    private readonly client: Client,
    private readonly queuePrefix: string,
    private readonly retries: Retries,
    private readonly ratchet: Ratchet,
  ) {}

  /** Connects. Throws WB_TEMPORAL_UNREACHABLE, or WB_UNAUTHENTICATED where Temporal refuses the sign-in. */
  static async connect(options: ClientOptions): Promise<WaybillClient> {
    const { address, tls, apiKey, metadata } = options;
    const retries = new Retries();
    try {
      const connection = Connection.lazy({
        address,
        interceptors: [makeGrpcRetryInterceptor(retries.options)],
        ...(tls === undefined ? {} : { tls }),
        ...(apiKey === undefined ? {} : { apiKey }),
        ...(metadata === undefined ? {} : { metadata: { ...metadata } }),
        connectTimeout: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      });
      if (options.isKnownToAnswer !== true) await connection.ensureConnected();
      const client = new Client({
        connection,
        namespace: options.namespace ?? 'default',
        identity: options.identity ?? `${hostname()}/${process.pid}/client`,
        ...converterOptions(options),
      });
      const kept =
        options.keptCounts === undefined ? undefined : new KeptCounts(options.keptCounts);
      const prefix = options.queuePrefix ?? 'waybill';
      return new WaybillClient(connection, client, prefix, retries, new Ratchet(kept));
    } catch (error) {
      const known = translate(error, `connect to Temporal at ${address}`);
      if (known.code !== 'WB_UNEXPECTED') throw known;
      // A deadline that passes before the first answer comes as a plain Error, without a gRPC status.
      throw new WaybillError('WB_TEMPORAL_UNREACHABLE', known.message, { cause: error });
    }
  }

  /**
   * Starts a pull. An equal one that runs is joined (and goes on, if it was paused); a paused or blocked one of the
   * same source with other options is ended first; any other at the same destination is WB_DESTINATION_OWNED.
   */
  startPull(request: PullRequest, options: StartOptions = {}): Promise<StartedPull> {
    return startPull(this.client, this.queuePrefix, request, options);
  }

  /** How the latest run of a pull is. Its counts never go back, as long as this client lives, or at all with `keptCounts`. */
  status(pullId: string): Promise<PullStatus> {
    return readStatus(this.client, this.ratchet, pullId);
  }

  /** The status again and again until the pull has ended; the last one carries the result. */
  watch(pullId: string, options: WatchOptions = {}): AsyncIterable<PullStatus> {
    return watchStatus(() => this.status(pullId), options);
  }

  /** Waits for the end, of the latest run or of a known one. A pull that failed or was cancelled is a result, not an error. */
  async result(pullId: string, known?: KnownRun): Promise<PullResult> {
    const handle = this.client.workflow.getHandle(pullId);
    const latest = async (): Promise<KnownRun & { readonly isOpen: boolean }> => {
      const found = await reach('read the pull', () => handle.describe());
      const { destination } = memoOf(this.client, found);
      return { runId: found.runId, destination, isOpen: found.status.name === 'RUNNING' };
    };
    let { runId, destination } = known ?? (await latest());
    for (;;) {
      const ended = this.client.workflow.getHandle(pullId, runId);
      const result = await resultOf(ended, destination);
      if (result.code !== 'WB_CANCELLED') return result;
      // A run that could not go on was ended by the one that took its place.
      const next = await latest();
      if (next.runId === runId || !next.isOpen) return result;
      ({ runId, destination } = next);
    }
  }

  /**
   * Starts a pull again whose history this version of the workflow cannot go on with (rule 5): a new run takes the
   * place of the old one, and goes on from the destination's record. Answers whether that was so.
   */
  async replaceIfStuck(pullId: string, options: StartOptions = {}): Promise<boolean> {
    const stuck = await findStuck(this.client, pullId);
    if (stuck === undefined) return false;
    const { runId, request } = stuck;
    const old = { pullId, runId };
    if (!(await replacePull(this.client, this.queuePrefix, old, request, options))) return false;
    for (const id of stuck.shardIds) await endStuckShard(this.client, id);
    return true;
  }

  /** Stops the bytes at the next part boundary; the pull stays open. */
  pause(pullId: string): Promise<void> {
    return this.signal(pullId, SIGNALS.pause, 'pause the pull');
  }

  /** Goes on after `pause`, and tries at once what waits for its next try. */
  resume(pullId: string): Promise<void> {
    return this.signal(pullId, SIGNALS.resume, 'resume the pull');
  }

  /** Tries at once what waits for its next try. */
  retryNow(pullId: string): Promise<void> {
    return this.signal(pullId, SIGNALS.retryNow, 'retry the pull');
  }

  /** Changes how fast a pull may go, also for what is in flight. */
  tune(pullId: string, limits: PullLimits): Promise<void> {
    return this.signal(pullId, SIGNALS.tune, 'tune the pull', limits);
  }

  /** Asks a pull to end: it stops the bytes, keeps journal and partials and gives the destination back. */
  cancel(pullId: string): Promise<void> {
    return reach('cancel the pull', async () => {
      await this.client.workflow.getHandle(pullId).cancel();
    });
  }

  /** The pulls that Temporal knows, latest first. */
  list(options: ListOptions = {}): Promise<PullSummary[]> {
    return listPulls(this.client, options);
  }

  /**
   * The pull that a person means: an id, a unique prefix, a destination's absolute path, nothing for the latest.
   * Throws WB_NOT_FOUND, or WB_USAGE where a prefix fits several.
   */
  find(wanted?: string): Promise<PullSummary> {
    return findPull(this.client, wanted);
  }

  /**
   * Gives back what a worker had in hand, so that another goes on at once; answers how much. Only for a worker
   * that is proven dead: a live one would find its attempt taken away.
   */
  handBack(workerIdentity: string): Promise<number> {
    return handBackWork(this.client, workerIdentity);
  }

  /** Whether a run of a pull, without `runId` its latest, is still open; one that Temporal does not know is not. */
  isRunOpen(pullId: string, runId?: string): Promise<boolean> {
    return isRunOpen(this.client, pullId, runId);
  }

  /**
   * A name of this Temporal that lasts as long as its database: two clients with the same name may ask it about each
   * other's pulls.
   */
  engineId(): Promise<string> {
    return engineIdOf(this.client);
  }

  /** Throws WB_UNAUTHENTICATED where Temporal does not let this sign-in do a worker's work. */
  checkMayServe(): Promise<void> {
    return checkMayServe(this.client);
  }

  /** The namespace that this client works in. */
  get namespace(): string {
    return this.client.options.namespace;
  }

  /** Whether Temporal has that namespace. */
  async hasNamespace(): Promise<boolean> {
    const { namespace } = this;
    try {
      await reach('ask for the namespace', () =>
        this.client.workflowService.describeNamespace({ namespace }),
      );
      return true;
    } catch (error) {
      if (error instanceof WaybillError && error.code === 'WB_NOT_FOUND') return false;
      throw error;
    }
  }

  /** The names of the task queues of a site; of the local service without one. */
  queues(site?: string): Queues {
    return queuesOf(this.queuePrefix, site);
  }

  /** Whether workers were there within about a minute: for the workflows, and for the bytes of a site (without one: of every site). */
  isServed(site?: string): Promise<boolean> {
    return isServed(this.client, this.queues(site), site);
  }

  /** The identities of the workers that asked for work of this queue within some minutes; some may be gone. */
  pollersOf(taskQueue: string): Promise<string[]> {
    return pollersOf(this.client, taskQueue);
  }

  /** The identities of the workers of a site that are there; the same for all who ask. */
  liveWorkersOf(site?: string): Promise<string[]> {
    return liveWorkersOf(this.client, this.queues(site), site);
  }

  /** Closes the connection. May be called twice. */
  async close(): Promise<void> {
    await this.retries.end();
    await this.connection.close();
  }

  private signal(
    pullId: string,
    name: string,
    doing: string,
    ...args: readonly unknown[]
  ): Promise<void> {
    return reach(doing, async () => {
      const handle = this.client.workflow.getHandle(pullId);
      await handle.signal(name, ...args, ...(await signalWord(this.client, handle)));
    });
  }
}
