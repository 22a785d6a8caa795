/**
 * The ground that pulls land on: this host's own file systems, or one share. Each has threads and a queue for free space of its
 * own, so that a share that hangs holds up nobody but the pulls onto it.
 */
import { ThreadPool } from './pool.js';
import { shareOf } from './shares.js';
import { Space, type OpenOthers } from './space.js';

/** What the pulls onto one ground share. */
export interface Ground {
  /** Where the share is mounted; '' for this host's own. */
  readonly point: string;
  readonly pool: ThreadPool;
  readonly space: Space;
}

/** Makes grounds as they are needed. Threads start with the first byte. */
export class Grounds {
  private readonly known = new Map<string, Ground>();

  constructor(
    private readonly threadEntry: URL,
    private readonly others: (point: string) => OpenOthers,
  ) {}

  /** This host's own. */
  get own(): Ground {
    return this.at('');
  }

  /** The one that a folder lies on; touches nothing there. */
  async of(folder: string): Promise<Ground> {
    return this.at((await shareOf(folder))?.point ?? '');
  }

  async close(): Promise<void> {
    await Promise.all([...this.known.values()].map(({ pool }) => pool.close()));
  }

  private at(point: string): Ground {
    const known = this.known.get(point);
    if (known !== undefined) return known;
    const space = new Space(this.others(point));
    const made: Ground = { point, pool: new ThreadPool(this.threadEntry), space };
    this.known.set(point, made);
    return made;
  }
}
