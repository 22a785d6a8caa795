/**
 * What the local worker does for pulls beside serving them: it counts the open ones, and starts again those that
 * Temporal has lost with its database or cannot go on with (rule 5).
 */
import { readFileSync } from 'node:fs';
import * as z from 'zod';
import type { WaybillClient } from './client.js';
import { asWaybillError } from './model/errors.js';
import { writePrivateFile } from './service/service-files.js';
import { findPullRecord } from './transfer/pull-record.js';

const openPullSchema = z.object({ pullId: z.string(), destination: z.string() });
const fileSchema = z.array(openPullSchema);

/** A pull that was running when it was seen last. */
type OpenPull = z.infer<typeof openPullSchema>;

export interface PullCareDeps {
  readonly client: WaybillClient;
  /** `pulls.json` of the state folder: it outlives the database. */
  readonly file: string;
  readonly log: (facts: object, message: string) => void;
}

/** Looks after the pulls of one local service. */
export class PullCare {
  private remembered: readonly OpenPull[];
  private current: Promise<unknown> = Promise.resolve();
  private next: Promise<number> | undefined;

  constructor(private readonly deps: PullCareDeps) {
    this.remembered = readOpenPulls(deps.file);
  }

  /**
   * Mends what has to be, and answers how many pulls are open and not paused. One look at a time; one that has begun
   * already may have seen what is no more, and does not answer.
   */
  look(): Promise<number> {
    this.next ??= this.current.then(() => {
      this.next = undefined;
      const looked = this.lookOnce();
      this.current = looked.catch(() => undefined);
      return looked;
    });
    return this.next;
  }

  private async lookOnce(): Promise<number> {
    const { client } = this.deps;
    for (const pull of this.remembered) {
      if (!(await this.isKnown(pull.pullId))) await this.startAgain(pull);
    }
    const running = await client.list({ onlyRunning: true });
    const open = await Promise.all(
      running.map(async ({ pullId, destination }): Promise<OpenPull | undefined> => {
        if (await client.replaceIfStuck(pullId)) {
          this.deps.log({ pullId }, 'could not go on with its history and was started again');
        }
        // The list is behind the pulls: one that has ended may still stand there.
        const { state, progress } = await client.status(pullId);
        const isOpen = state === 'running' && progress.phase !== 'paused';
        return isOpen ? { pullId, destination } : undefined;
      }),
    );
    const found = open.filter((pull) => pull !== undefined);
    this.remember(found);
    return found.length;
  }

  private remember(pulls: readonly OpenPull[]): void {
    if (JSON.stringify(pulls) !== JSON.stringify(this.remembered)) {
      writePrivateFile(this.deps.file, `${JSON.stringify(pulls)}\n`);
    }
    this.remembered = pulls;
  }

  private async isKnown(pullId: string): Promise<boolean> {
    try {
      await this.deps.client.status(pullId);
      return true;
    } catch (error) {
      if (asWaybillError(error).code === 'WB_NOT_FOUND') return false;
      throw error;
    }
  }

  /** A pull that had not claimed its destination has no record yet: only its command can start it again. */
  private async startAgain({ pullId, destination }: OpenPull): Promise<void> {
    const record = await findPullRecord(destination, pullId);
    if (record !== undefined) await this.deps.client.startPull(record.request);
    const what = record === undefined ? 'and it has no record' : 'it was started again';
    this.deps.log({ pullId, destination }, `Temporal has lost this pull; ${what}`);
  }
}

function readOpenPulls(file: string): readonly OpenPull[] {
  try {
    return fileSchema.safeParse(JSON.parse(readFileSync(file, 'utf8'))).data ?? [];
  } catch {
    return [];
  }
}
