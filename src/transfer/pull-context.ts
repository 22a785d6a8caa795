/** What the calls of one pull share inside a process: read once, kept until the pull ends. */
import { join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { isFileAt } from '../model/host-files.js';
import type { Store, StoreAddress } from '../stores/store.js';
import type { PullRef } from './api.js';
import { Journal } from './journal.js';
import type { LastManifest } from './last-manifest.js';
import { layoutOf, RECORD_NAMES, type Layout } from './layout.js';
import { isPublishedFile, type PublishedFile } from './line-fits.js';
import { LiveLimits, type LimitsAround } from './live-limits.js';
import { lookTogether, MANY, type Look } from './looker.js';
import { OldTruth } from './old-truth.js';
import { checkOwnership } from './owner.js';
import { planDirOf, readPage, type PlanPage } from './plan/page.js';
import type { PageWriter } from './plan/pages.js';
import type { ThreadPool } from './pool.js';
import { thisProcess } from './process-identity.js';
import type { PublishContext } from './publish.js';
import { readPullRecord, type PullRecord } from './pull-record.js';
import type { Replaceable } from './take-name.js';

/** Pages that are kept: each shard works on its own, and takes some twenty units from it. About 1.5 MiB each. */
const KEPT_PAGES = 12;

/** Opens sources; the registry of the stores is one. */
export interface StoreOpener {
  open(address: StoreAddress): Promise<Store>;
}

/** One pull, as this process works on it. */
export class PullContext {
  private wrongAnswers = 0;
  /** The listing in progress, between two calls of `planPage`. */
  pageWriter: PageWriter | undefined;
  /** What the pull before this one left, as planning has read it. */
  last: LastManifest | undefined;
  private openStore: Promise<Store> | undefined;
  /** Opened before the last new sign-in; somebody may still read them. */
  private readonly formerStores: Promise<Store>[] = [];
  private readonly oldTruth: OldTruth;
  /** Looks at the destination. */
  readonly look: Look;
  private readonly pages = new Map<number, Promise<PlanPage>>();

  private constructor(
    readonly ref: PullRef,
    readonly record: PullRecord,
    readonly layout: Layout,
    readonly journal: Journal,
    private signedIn: StoreAddress,
    readonly limits: LiveLimits,
    readonly pool: ThreadPool,
    private readonly opener: StoreOpener,
  ) {
    this.oldTruth = new OldTruth(ref.recordDir);
    this.look = lookTogether(pool);
  }

  /** Reads the records of a claimed destination. Throws WB_DESTINATION_NOT_HERE, WB_DESTINATION_OWNED. */
  static async open(
    ref: PullRef,
    addressOf: (record: PullRecord) => Promise<StoreAddress>,
    opener: StoreOpener,
    pool: ThreadPool,
    around: (address: StoreAddress) => Promise<LimitsAround>,
  ): Promise<PullContext> {
    await checkOwnership(ref);
    const record = await readPullRecord(ref.recordDir);
    if (record === undefined) {
      throw new WaybillError(
        'WB_DESTINATION_NOT_HERE',
        `${ref.recordDir} has no pull.json any more`,
        {
          operation: 'open',
        },
      );
    }
    const layout = layoutOf(record.request, record.resolved);
    const journal = await Journal.open(
      join(ref.recordDir, RECORD_NAMES.journal),
      thisProcess(),
      record.runId,
    );
    const address = await addressOf(record);
    const limits = new LiveLimits(ref.recordDir, record.request, await around(address));
    await limits.refresh();
    return new PullContext(ref, record, layout, journal, address, limits, pool, opener);
  }

  /** Where the bytes come from, with the secrets that were current when it was last looked. */
  get address(): StoreAddress {
    return this.signedIn;
  }

  /** From now on the source is read with these settings and secrets, over other connections. */
  signInAnew(address: StoreAddress): void {
    this.signedIn = address;
    if (this.openStore !== undefined) this.formerStores.push(this.openStore);
    this.openStore = undefined;
    // The listing in progress has the old ones; it goes on where its last sealed page ended.
    this.pageWriter?.close();
    this.pageWriter = undefined;
    this.startNewRound();
  }

  get planId(): string {
    return this.record.runId;
  }

  /** Whose stores and connections the threads use: no other pull's, and new ones after wrong bytes (rule 17). */
  get round(): string {
    return `${this.planId} ${this.wrongAnswers}`;
  }

  /** From now on everything comes over other connections. */
  startNewRound(): void {
    this.wrongAnswers += 1;
  }

  get partialDir(): string {
    return join(this.ref.recordDir, RECORD_NAMES.partial);
  }

  get publishing(): PublishContext {
    return {
      filesRoot: this.layout.filesRoot,
      planId: this.planId,
      journal: this.journal,
      proof: this.ref,
      oldTruth: this.oldTruth,
      overwrites: this.record.request.ifExists === 'overwrite',
      pool: this.pool,
    };
  }

  /** The store on this thread, for listing and describing. */
  store(): Promise<Store> {
    const opened =
      this.openStore ?? this.opener.open({ ...this.address, pace: this.limits.storePace });
    this.openStore = opened;
    return opened;
  }

  /** A sealed page of the plan. Throws WB_LOCAL_DAMAGE if it is not there. */
  async page(number: number): Promise<PlanPage> {
    const kept = this.pages.get(number) ?? this.readPage(number);
    this.pages.delete(number);
    this.pages.set(number, kept);
    const oldest = this.pages.keys().next().value;
    if (this.pages.size > KEPT_PAGES && oldest !== undefined) this.pages.delete(oldest);
    return kept;
  }

  private async readPage(number: number): Promise<PlanPage> {
    const page = await readPage(planDirOf(this.ref.recordDir, this.planId), number);
    if (page !== undefined) return page;
    this.pages.delete(number);
    // Whoever claimed the destination since has dropped this plan: that is then the reason.
    await checkOwnership(this.ref);
    throw new WaybillError('WB_LOCAL_DAMAGE', `page ${number} of the plan is gone`, {
      operation: 'read',
    });
  }

  /** What lies under the name of a published file, if it is still the one that the journal names. */
  async inPlace(entry: PublishedFile): Promise<Replaceable | undefined> {
    const found = await this.look(join(this.layout.filesRoot, entry.path));
    if (found === undefined || found === 'other') return undefined;
    return isPublishedFile(entry, found) ? found : undefined;
  }

  /** Of many published files, whether each is still the one that the journal names. */
  async areInPlace(entries: readonly PublishedFile[]): Promise<boolean[]> {
    const { filesRoot } = this.layout;
    if (entries.length < MANY) return Promise.all(entries.map((entry) => this.isInPlace(entry)));
    const found = await this.pool.lookAtHost(entries.map(({ path }) => `${filesRoot}/${path}`));
    const answers = entries.map(({ sizeBytes, local }, index) =>
      local === undefined ? false : isFileAt(found, index, { ...local, sizeBytes }),
    );
    // What a thread could not look at, or what is not there, is looked at once more, by whoever can say why.
    for (const [index, entry] of entries.entries()) {
      if (answers[index] !== true) answers[index] = await this.isInPlace(entry);
    }
    return answers;
  }

  private async isInPlace(entry: PublishedFile): Promise<boolean> {
    return (await this.inPlace(entry)) !== undefined;
  }

  async close(): Promise<void> {
    this.pageWriter?.close();
    await this.journal.close();
    const stores = [
      ...this.formerStores,
      ...(this.openStore === undefined ? [] : [this.openStore]),
    ];
    for (const store of stores) await (await store).close();
  }
}
