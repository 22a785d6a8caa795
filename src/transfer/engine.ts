/** The engine put together: see api.ts for what each call promises. */
import { isDeepStrictEqual } from 'node:util';
import { asWaybillError } from '../model/errors.js';
import type { PullEnd, PullRequest, PullResult } from '../model/pull.js';
import type { Resolution, StoreAddress, StoreFactory } from '../stores/store.js';
import type { CallContext, PullRef, ResolvedSource, TransferEngine } from './api.js';
import { claimDestination, dropLooseParts } from './claim.js';
import { fetchUnit } from './fetch-unit.js';
import { Grounds, type Ground } from './grounds.js';
import { missingOf } from './in-place.js';
import { KnownMounts } from './known-mounts.js';
import { OpenPulls } from './open-pulls.js';
import { releaseOwner, type AskOwner } from './owner.js';
import { layoutOf } from './layout.js';
import { labelOf } from './plan/page.js';
import { planPage } from './plan-pull.js';
import { PullContext, type StoreOpener } from './pull-context.js';
import { parseRequest, type PullRecord } from './pull-record.js';
import type { Reach } from './reach.js';
import { releasePull } from './release.js';
import { QUICK_CONNECTIONS } from './concurrency/controller.js';
import { WHOLE, type WorkerShare } from './concurrency/shares.js';
import { SourceHosts } from './concurrency/source-host.js';
import { CommonPace, type CommonLimits } from './common-pace.js';
import type { LimitsAround } from './live-limits.js';
import { EngineShares } from './share-watch.js';
import { findStorage, nameOfSource, storageAddress } from './storage-address.js';
import { dropScaffolding, leavePartialRecord, sealedResult, sealPull } from './seal.js';

/** Labels that one call of `nameUnits` answers: together they stay under 2 KiB (rule 29). */
const LABELS = 12;

/** What a key that was changed meanwhile looks like; some stores say it as a missing right. */
const SIGN_IN_REFUSED: ReadonlySet<string> = new Set([
  'WB_UNAUTHENTICATED',
  'WB_PERMISSION_DENIED',
]);

/** What opens and resolves sources: the registry of the stores. */
export interface SourceOpener extends StoreOpener {
  isReference(uri: string): boolean;
  resolve(address: StoreAddress, options: { signal?: AbortSignal }): Promise<Resolution>;
  factoryOf(uri: string): Pick<StoreFactory, 'name' | 'localName' | 'patience'>;
}

/** What the engine is made of. */
export interface EngineDeps {
  readonly sources: SourceOpener;
  /** What may be read and written for whoever asks (rule 4). */
  readonly reach: Reach;
  /** Which Temporal this engine works for; it goes into owner.json. */
  readonly engineId: string;
  /** Whether another pull is running; asked before its destination is taken. */
  readonly ask: AskOwner;
  /** Module of a fetching thread. */
  readonly threadEntry: URL;
  /** Waybill's version, for the receipt. */
  readonly version: string;
  /** ISO 8601. */
  readonly now: () => string;
  /** Where this host remembers which destinations lie on a mounted share; absent: it does not. */
  readonly mountsFile?: string;
  /** This worker among the live ones that share its pulls; absent: it is alone. */
  readonly share?: () => WorkerShare;
  /** What all pulls keep to together, over all those workers; absent: nothing. */
  readonly commonLimits?: CommonLimits;
}

/** Makes the engine. Threads start with the first byte. */
export function createTransferEngine(deps: EngineDeps): TransferEngine {
  return new Engine(deps);
}

class Engine implements TransferEngine {
  readonly shares = new EngineShares();
  private readonly pulls: OpenPulls;
  private readonly grounds: Grounds;
  private readonly mounts: KnownMounts;
  private readonly hosts = new SourceHosts();
  private readonly common: CommonPace | undefined;

  constructor(private readonly deps: EngineDeps) {
    const { commonLimits, share = (): WorkerShare => WHOLE } = deps;
    if (commonLimits !== undefined) this.common = new CommonPace(commonLimits, share);
    this.pulls = new OpenPulls((ref) => this.open(ref));
    this.mounts = new KnownMounts(deps.mountsFile);
    this.grounds = new Grounds(deps.threadEntry, (point) => (than) => {
      const isHere = async ({ recordDir }: PullRef): Promise<boolean> =>
        (await this.grounds.of(recordDir)).point === point;
      return this.pulls.others(than, isHere, (ref) => this.hasEnded(ref));
    });
  }

  async resolve(input: { request: PullRequest }, context: CallContext): Promise<ResolvedSource> {
    context.progress.phase = 'resolving';
    const request = parseRequest(input.request);
    context.progress.name = request.source.uri;
    const { sources } = this.deps;
    const { reach } = this.deps;
    const asked: StoreAddress = { uri: request.source.uri, ...(await reach.connect(request)) };
    const { signal } = context;
    this.notePatience(asked, context);
    context.progress.awaitsSource = true;
    const { resolution, address } = await findStorage(asked, sources, reach, signal);
    const { settings } = address;
    this.grounds.own.pool.warm(address);
    const store = await sources.open(address);
    try {
      const root = await store.stat('', { signal });
      return {
        uri: resolution.uri,
        // A connection's own settings are looked up again, and stay with the worker.
        settings: request.source.connection === undefined ? settings : (resolution.settings ?? {}),
        kind: root.kind === 'file' ? 'file' : 'tree',
        name: nameOfSource(sources, asked.uri, resolution, root.kind),
        ...(resolution.revision === undefined ? {} : { revision: resolution.revision }),
        ...(resolution.transport === undefined ? {} : { transport: resolution.transport }),
        ...(resolution.facts === undefined ? {} : { facts: resolution.facts }),
      };
    } finally {
      await store.close();
    }
  }

  async claim(
    input: { pullId: string; runId: string; request: PullRequest; resolved: ResolvedSource },
    context: CallContext,
  ): ReturnType<TransferEngine['claim']> {
    context.progress.phase = 'resolving';
    const { engineId, ask, now } = this.deps;
    const request = parseRequest(input.request);
    const { filesRoot, recordDir } = layoutOf(request, input.resolved);
    for (const folder of [filesRoot, recordDir]) await this.deps.reach.checkDestination(folder);
    await this.mounts.refuseAway(recordDir, request.takeOver);
    const claim = await claimDestination({ ...input, request, engineId, ask, now: now() });
    await this.mounts.remember(claim.ref);
    return claim;
  }

  async planPage(
    input: { ref: PullRef; page: number },
    context: CallContext,
  ): ReturnType<TransferEngine['planPage']> {
    const { sources, reach } = this.deps;
    const opener: SourceOpener = {
      factoryOf: (uri) => sources.factoryOf(uri),
      isReference: (uri) => sources.isReference(uri),
      resolve: (address, options) => sources.resolve(address, options),
      open: async (address) => {
        // The list that `--expect` names is a source too.
        await reach.checkSource(address.uri, address.uri, address.settings);
        return sources.open(address);
      },
    };
    const { space } = await this.groundOf(input.ref);
    return this.useSignedIn(input.ref, (pull) => {
      this.notePatience(pull.address, context);
      context.progress.awaitsSource = true;
      return planPage(pull, input.page, opener, space, context);
    });
  }

  async nameUnits(input: {
    ref: PullRef;
    page: number;
    from: number;
  }): ReturnType<TransferEngine['nameUnits']> {
    return this.pulls.use(input.ref, async (pull) => {
      const page = await pull.page(input.page);
      return page.units.slice(input.from, input.from + LABELS).map((unit) => labelOf(page, unit));
    });
  }

  async fetchUnit(
    input: Parameters<TransferEngine['fetchUnit']>[0],
    context: CallContext,
  ): ReturnType<TransferEngine['fetchUnit']> {
    return this.useSignedIn(input.ref, (pull) => {
      context.progress.store = this.deps.sources.factoryOf(pull.address.uri).name;
      context.progress.concurrency = pull.limits.note;
      this.notePatience(pull.address, context);
      return pull.limits.during(() => fetchUnit(pull, input, context));
    });
  }

  async recordFailure(
    input: Parameters<TransferEngine['recordFailure']>[0],
  ): ReturnType<TransferEngine['recordFailure']> {
    return this.pulls.use(input.ref, async (pull) => {
      const missing = await missingOf(pull, input);
      const { code, message } = input.failure;
      for (const { path } of missing) {
        await pull.journal.addFailed({ kind: 'failed', planId: pull.planId, path, code, message });
      }
      return { files: missing.length };
    });
  }

  async seal(input: { ref: PullRef }, context: CallContext): ReturnType<TransferEngine['seal']> {
    await this.deps.reach.checkDestination(input.ref.recordDir);
    const sealed = await sealedResult(input.ref);
    if (sealed !== undefined) {
      // What a kill interrupted after the last write of the record.
      await this.pulls.forget(input.ref);
      await (sealed.ok ? dropScaffolding(input.ref) : releaseOwner(input.ref));
      return sealed;
    }
    // Other workers have journals too: all of them are read again. The last manifest is none that they write to.
    const last = await this.pulls.use(input.ref, (pull) => Promise.resolve(pull.last));
    await this.pulls.forget(input.ref);
    const result = await this.pulls.use(input.ref, (pull) => {
      pull.last = last;
      return sealPull(pull, context, this.deps.version, this.deps.now);
    });
    await this.pulls.forget(input.ref);
    return result;
  }

  async tune(input: Parameters<TransferEngine['tune']>[0]): Promise<void> {
    await this.pulls.use(input.ref, (pull) => pull.limits.change(input.limits));
  }

  async release(input: { ref: PullRef; end?: PullEnd }): Promise<PullResult | undefined> {
    const { ref, end } = input;
    await this.deps.reach.checkDestination(ref.recordDir);
    await this.pulls.forget(ref);
    const result = end === undefined ? undefined : await this.leaveRecord(ref, end);
    await releasePull(ref);
    return result;
  }

  /** Writes down what is in place. A disk that takes no record either must not keep the destination from being freed. */
  private async leaveRecord(ref: PullRef, end: PullEnd): Promise<PullResult | undefined> {
    try {
      const known = await sealedResult(ref);
      if (known !== undefined) return known;
      await dropLooseParts(ref.recordDir);
      // Nothing is read from the source, so that no secret is needed.
      const noSecrets = ({ resolved }: PullRecord): Promise<StoreAddress> =>
        Promise.resolve({ uri: resolved.uri, settings: resolved.settings, secrets: {} });
      const around = (address: StoreAddress): Promise<LimitsAround> => this.around(address);
      const pull = await PullContext.open(
        ref,
        noSecrets,
        this.deps.sources,
        (await this.groundOf(ref)).pool,
        around,
      );
      try {
        return await leavePartialRecord(pull, end, this.deps.version, this.deps.now);
      } finally {
        await pull.close();
      }
    } catch {
      return undefined;
    }
  }

  async close(): Promise<void> {
    await this.pulls.close();
    this.common?.end();
    await this.grounds.close();
  }

  /**
   * Works on a pull; where its source refuses the sign-in and the connection says something else by now, once more with that:
   * a key that was changed stops nothing and needs no restart.
   */
  private async useSignedIn<T>(ref: PullRef, work: (pull: PullContext) => Promise<T>): Promise<T> {
    let used: { readonly pull: PullContext; readonly address: StoreAddress } | undefined;
    try {
      return await this.pulls.use(ref, (pull) => {
        used = { pull, address: pull.address };
        return work(pull);
      });
    } catch (error) {
      if (used === undefined || !SIGN_IN_REFUSED.has(asWaybillError(error).code)) throw error;
      if (!(await this.signInAnew(used.pull, used.address))) throw error;
      return this.pulls.use(ref, work);
    }
  }

  /** Whether there are other settings or secrets than those used; what is wrong with them is the next attempt's error. */
  private async signInAnew(pull: PullContext, used: StoreAddress): Promise<boolean> {
    if (pull.address !== used) return true;
    const now = await this.addressOfRecord(pull.record).catch(() => used);
    // Another unit may have done it meanwhile.
    if (pull.address !== used) return true;
    if (isDeepStrictEqual(now, used)) return false;
    pull.signInAnew(now);
    return true;
  }

  /** Whoever ended a pull in Temporal itself has told nobody here. */
  private async hasEnded({ pullId, runId, epoch }: PullRef): Promise<boolean> {
    const { engineId, ask } = this.deps;
    return (await ask({ v: 1, engineId, pullId, runId, epoch })) === 'closed';
  }

  private groundOf({ recordDir }: PullRef): Promise<Ground> {
    return this.grounds.of(recordDir);
  }

  private async open(ref: PullRef): Promise<PullContext> {
    await this.deps.reach.checkDestination(ref.recordDir);
    const pull = await PullContext.open(
      ref,
      (record) => this.addressOfRecord(record),
      this.deps.sources,
      (await this.groundOf(ref)).pool,
      (address) => this.around(address),
    );
    this.shares.note(ref.recordDir, pull.address.uri);
    return pull;
  }

  /** What takes long for its first byte, as MLflow's proxy does, which fetches the whole object first, does not stand still. */
  private notePatience({ uri, settings }: StoreAddress, { progress }: CallContext): void {
    const patience = this.deps.sources.factoryOf(uri).patience?.(settings);
    if (patience !== undefined) progress.patience = patience;
  }

  /** Connections that a store calls polite. One that cannot be opened says why when it is read from. */
  private async declaredBy(address: StoreAddress): Promise<number> {
    try {
      const store = await this.deps.sources.open(address);
      await store.close();
      return store.capabilities.maxConnections;
    } catch {
      return QUICK_CONNECTIONS;
    }
  }

  /** What the limits of a pull depend on beside itself. */
  private async around(address: StoreAddress): Promise<LimitsAround> {
    return {
      host: this.hosts.of(address),
      declared: await this.declaredBy(address),
      share: this.deps.share ?? ((): WorkerShare => WHOLE),
      ...(this.common === undefined ? {} : { common: this.common.pace }),
    };
  }

  private async addressOfRecord({ request, resolved }: PullRecord): Promise<StoreAddress> {
    const { reach } = this.deps;
    const { settings, secrets } = await reach.connect(request, resolved.settings);
    // The record lies at the destination, where others may write.
    await reach.checkSource(request.source.uri, resolved.uri, settings);
    return storageAddress({ uri: request.source.uri, secrets }, resolved.uri, settings);
  }
}
