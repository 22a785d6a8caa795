/** What a transfer thread offers: the tasks, each with a store of the thread's own. */
import { toPlainError } from '../../model/errors.js';
import type { Store, StoreAddress } from '../../stores/store.js';
import { storePaceOf, type TaskPace } from './pace.js';
import { fetchPack } from './fetch-pack.js';
import { fetchRange } from './fetch-range.js';
import { takeNames } from './take-names.js';
import type {
  FetchPackOutcome,
  FetchPackTask,
  FetchRangeOutcome,
  FetchRangeTask,
  SourceOfTask,
  TakeNamesOutcome,
  TakeNamesTask,
} from './tasks.js';

/** Stores that a thread keeps open, most recently used last. */
const KEPT_STORES = 4;

/** A store that nobody has read from for so long is closed, and its connections and secrets go with it. */
const KEPT_MS = 30_000;

interface KeptStore {
  readonly store: Promise<Store>;
  users: number;
  closing?: NodeJS.Timeout | undefined;
}

/** Opens stores once per address and round, and closes those that nobody reads from: the least recently used one of many, and each in time. */
class ThreadStores {
  private readonly open = new Map<string, KeptStore>();

  constructor(private readonly opener: (address: StoreAddress) => Promise<Store>) {}

  async use<T>(
    { address, round, pace }: SourceOfTask,
    work: (store: Store) => Promise<T>,
  ): Promise<T> {
    const key = JSON.stringify([address.uri, address.settings, address.secrets, round, pace.id]);
    const kept: KeptStore = this.open.get(key) ?? {
      store: this.opener(paced(address, pace)),
      users: 0,
    };
    this.open.delete(key);
    this.open.set(key, kept);
    kept.users += 1;
    clearTimeout(kept.closing);
    try {
      return await work(await kept.store);
    } finally {
      kept.users -= 1;
      if (kept.users === 0) this.closeLater(key, kept);
      await this.closeOldest();
    }
  }

  private closeLater(key: string, kept: KeptStore): void {
    const close = (): void => {
      void this.close(key, kept).catch(() => undefined);
    };
    kept.closing = setTimeout(close, KEPT_MS).unref();
  }

  private async closeOldest(): Promise<void> {
    for (const [key, kept] of this.open) {
      if (this.open.size <= KEPT_STORES) return;
      if (kept.users === 0) await this.close(key, kept);
    }
  }

  private async close(key: string, kept: KeptStore): Promise<void> {
    clearTimeout(kept.closing);
    this.open.delete(key);
    await (await kept.store).close();
  }
}

function paced(address: StoreAddress, pace: TaskPace): StoreAddress {
  return { ...address, pace: storePaceOf(pace) };
}

/** The tasks of a fetching thread; their names are what the pool asks for. */
export interface ThreadTasks {
  fetchPack(task: FetchPackTask): Promise<FetchPackOutcome>;
  fetchRange(task: FetchRangeTask): Promise<FetchRangeOutcome>;
  takeNames(task: TakeNamesTask): Promise<TakeNamesOutcome>;
  /** Loads the store of an address; nothing is asked of it. What is wrong with it shows when it is read from. */
  warm(address: StoreAddress): Promise<void>;
}

/** Makes the tasks of a fetching thread. */
export function createThreadTasks(opener: (address: StoreAddress) => Promise<Store>): ThreadTasks {
  const stores = new ThreadStores(opener);
  return {
    takeNames,
    warm: (address) =>
      opener(address).then(
        (store) => store.close(),
        () => undefined,
      ),
    fetchPack: (task) =>
      stores
        .use(task, (store) => fetchPack(task, store))
        .catch((error: unknown) => noneOf(task, error)),
    fetchRange: (task) =>
      stores
        .use(task, (store) => fetchRange(task, store))
        .catch((error: unknown) => ({
          kind: 'failed' as const,
          lengthBytes: 0,
          error: toPlainError(error),
        })),
  };
}

/** A pack of which nothing has come, each file for the same reason. */
function noneOf({ plans }: FetchPackTask, error: unknown): FetchPackOutcome {
  const failed = { kind: 'failed' as const, error: toPlainError(error) };
  return {
    proven: new Uint32Array(),
    heads: '',
    sizes: new Float64Array(),
    levels: new Uint8Array(),
    stamps: new BigInt64Array(),
    warnings: [],
    others: plans.split('\n').map((_, position) => ({ position, outcome: failed })),
  };
}
