/** The pulls that this process works on: each opened once, kept between its calls, and let go when its place is gone. */
import { WaybillError } from '../model/errors.js';
import type { PullRef } from './api.js';
import { checkOwnership, checkPlace } from './owner.js';
import type { PullContext } from './pull-context.js';

interface Kept {
  readonly ref: PullRef;
  readonly pull: Promise<PullContext>;
  users: number;
  /** Closed as soon as nobody uses it any more. */
  isRetired: boolean;
}

const keyOf = ({ recordDir, epoch }: PullRef): string => `${recordDir}\n${epoch}`;

/** Opens pulls and hands them to the calls that need them. */
export class OpenPulls {
  private readonly kept = new Map<string, Kept>();

  constructor(private readonly open: (ref: PullRef) => Promise<PullContext>) {}

  /**
   * Works on a pull, after a look whether its place is there and still its own (rules 6 and 7). Where the work fails and the
   * place is gone, that is the reason, whatever the work met: WB_DESTINATION_NOT_HERE, retryable. What was known of the
   * place is then read again when it is back.
   */
  async use<T>(ref: PullRef, work: (pull: PullContext) => Promise<T>): Promise<T> {
    const kept = this.kept.get(keyOf(ref)) ?? this.start(ref);
    kept.users += 1;
    try {
      const pull = await kept.pull;
      await checkOwnership(ref);
      return await work(pull);
    } catch (error) {
      const reason = await whyGone(ref);
      if (reason === undefined) throw error;
      this.retire(ref, kept);
      throw reason;
    } finally {
      kept.users -= 1;
      await closeIfIdle(kept);
    }
  }

  /** The pulls that are open beside one on its ground; one that has ended is forgotten. Others are not waited for. */
  async others(
    than: PullContext,
    isHere: (ref: PullRef) => Promise<boolean>,
    hasEnded: (ref: PullRef) => Promise<boolean>,
  ): Promise<readonly PullContext[]> {
    const others: PullContext[] = [];
    for (const { ref, pull, users } of [...this.kept.values()]) {
      if (!(await isHere(ref))) continue;
      const open = await pull.catch(() => undefined);
      if (open === undefined || open.ref.recordDir === than.ref.recordDir) continue;
      if (users === 0 && (await hasEnded(open.ref))) await this.forget(open.ref);
      else others.push(open);
    }
    return others;
  }

  /** Closes a pull. What comes next reads it again: other workers have journals too. */
  async forget(ref: PullRef): Promise<void> {
    const kept = this.kept.get(keyOf(ref));
    if (kept === undefined) return;
    this.kept.delete(keyOf(ref));
    await closed(kept);
  }

  async close(): Promise<void> {
    const all = [...this.kept.values()];
    this.kept.clear();
    for (const kept of all) await closed(kept);
  }

  private start(ref: PullRef): Kept {
    const kept: Kept = { ref, pull: this.open(ref), users: 0, isRetired: false };
    this.kept.set(keyOf(ref), kept);
    kept.pull.catch(() => this.drop(ref, kept));
    return kept;
  }

  private retire(ref: PullRef, kept: Kept): void {
    kept.isRetired = true;
    this.drop(ref, kept);
  }

  private drop(ref: PullRef, kept: Kept): void {
    if (this.kept.get(keyOf(ref)) === kept) this.kept.delete(keyOf(ref));
  }
}

async function whyGone(ref: PullRef): Promise<WaybillError | undefined> {
  try {
    await checkPlace(ref);
    return undefined;
  } catch (error) {
    const isGone = error instanceof WaybillError && error.code === 'WB_DESTINATION_NOT_HERE';
    return isGone ? error : undefined;
  }
}

async function closeIfIdle(kept: Kept): Promise<void> {
  if (kept.isRetired && kept.users === 0) await closed(kept);
}

async function closed({ pull }: Kept): Promise<void> {
  await pull.then(
    (open) => open.close(),
    () => undefined,
  );
}
