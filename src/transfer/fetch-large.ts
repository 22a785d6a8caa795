/** One large file in parts that survive a kill (design 6.5, rules 12, 13, 16). */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { asWaybillError, fromPlainError, WaybillError } from '../model/errors.js';
import type { ObjectEntry, Pin } from '../model/object-entry.js';
import type { CallContext } from './api.js';
import { bytesOf, Frontier, gapsOf, joinRuns, type Run } from './extents.js';
import { LongFlush } from './long-flush.js';
import { dropPartial, openPartial, proveExtents, type PartialFile } from './partial.js';
import type { PlanEntry } from './plan/page.js';
import type { PullContext } from './pull-context.js';
import type { Arrived } from './prove.js';
import { Cell } from './thread/cell.js';
import { takePermits } from './take-permits.js';
import { digestSpecs } from './thread/hashes.js';
import type { Extent, Observed } from './thread/tasks.js';
import { watchCell } from './watch-cell.js';

/** A part: what one stream asks for at once. */
export const PART_BYTES = 16 * 1024 * 1024;

/** What one stream may have to fetch again after a kill: so much is recorded at once, of a huge file more. */
export const RECORD_BYTES = 1024 * 1024;

/** A sidecar has about so many lines at most. */
const MAX_RECORDS = 16_384;

/** Streams of one file at most. They help over long links; how many there are is what the source is found to be worth. */
const MAX_STREAMS = 16;

/** How often counters are copied to where heartbeats find them. */
const COUNT_MS = 200;

/** A large file whose version is known. */
export interface LargeFile {
  readonly plan: PlanEntry;
  readonly sizeBytes: number;
  readonly pin: Pin;
  /** What an answer or a description has said beside the listing. */
  readonly observed: Observed;
  /** As in `ObjectEntry`. */
  readonly digestsOnRequest?: ObjectEntry['digestsOnRequest'];
}

/** A file in its partial, flushed. */
export interface LargeArrived extends Omit<Arrived, 'attempts'> {
  readonly partialPath: string;
  readonly stamp: { readonly inode: string; readonly mtimeNs: string };
  /** Bytes that this attempt brought over the network. */
  readonly bytesFetched: number;
}

/** Fetches what is missing of a large file. On an abort all that came is recorded; rejects with the signal's reason. */
export async function fetchLarge(
  pull: PullContext,
  file: LargeFile,
  context: CallContext,
): Promise<LargeArrived> {
  const { progress } = context;
  progress.name = file.plan.path;
  progress.bytesTotal = file.sizeBytes;
  const attempt = new LargeAttempt(pull, file, context);
  const fetchedBefore = progress.bytesFetched ?? 0;
  const flush = new LongFlush(progress);
  const count = (): void => {
    progress.bytesDone = attempt.bytesDone;
    progress.bytesFetched = fetchedBefore + attempt.bytesFetched;
    progress.bytesChecked = attempt.bytesChecked;
    progress.heldMs += attempt.newlyHeldMs();
    progress.awaitsSource = attempt.isAwaiting;
    flush.show(attempt.isFlushing);
  };
  const timer = setInterval(count, COUNT_MS);
  try {
    return await attempt.run();
  } finally {
    clearInterval(timer);
    count();
    // Of a thread that died in the middle of one the count still says so.
    flush.show(false);
  }
}

/** One attempt at one file: streams fetch what is missing while the parts of earlier attempts are proven. */
class LargeAttempt {
  private readonly cell = new Cell();
  private readonly partial: PartialFile;
  private readonly isParallel: boolean;
  /** How far parts are in place: fetched now, or proven. */
  private readonly frontier = new Frontier();
  private gaps: Run[] = [];
  /** Recorded parts that are being proven. */
  private claimedBytes = 0;
  private proving: Promise<void> | undefined;
  private failure: unknown;
  private isRangeRefused = false;
  private heldMs = 0;

  constructor(
    private readonly pull: PullContext,
    private readonly file: LargeFile,
    private readonly context: CallContext,
  ) {
    const { plan, pin, sizeBytes } = file;
    const name = createHash('sha256')
      .update(JSON.stringify([plan.path, pin]))
      .digest('hex');
    const partialPath = join(pull.partialDir, name.slice(0, 32));
    const isExecutable = plan.isExecutable === true;
    this.partial = {
      partialPath,
      sidecarPath: `${partialPath}.parts`,
      sizeBytes,
      pin,
      isExecutable,
    };
    // A strong pin lets several streams work; a weak one only a single stream (rule 12).
    this.isParallel = pin.strength === 'strong';
  }

  get bytesDone(): number {
    return Math.min(this.file.sizeBytes, this.claimedBytes + this.cell.bytes);
  }

  get bytesFetched(): number {
    return this.cell.bytes;
  }

  /** Bytes that were read back: by the hash, and to prove recorded parts. */
  get bytesChecked(): number {
    return this.cell.checkedBytes;
  }

  get isAwaiting(): boolean {
    return this.cell.isAwaiting;
  }

  get isFlushing(): boolean {
    return this.cell.isFlushing;
  }

  /** What it was held back since this was asked last. */
  newlyHeldMs(): number {
    const before = this.heldMs;
    this.heldMs = this.cell.heldMs + this.pull.limits.heldMs;
    return this.heldMs - before;
  }

  async run(): Promise<LargeArrived> {
    const { signal, progress } = this.context;
    const unwatch = watchCell(this.cell, signal);
    const uncount = this.pull.limits.watch(this.cell);
    try {
      progress.phase = 're-checking';
      const onBytes = (count: number): void => this.cell.addChecked(count);
      const recorded = await openPartial(this.partial, { signal, onBytes });
      this.claimedBytes = bytesOf(recorded);
      progress.bytesFound = this.claimedBytes;
      this.gaps = this.gapsBeside(recorded);
      progress.phase = this.gaps.length === 0 || !this.isParallel ? 're-checking' : 'fetching';
      const proving = this.prove(recorded);
      if (!this.isParallel) await proving;
      this.proving = proving;
      progress.phase = 'fetching';
      const hashing = this.pull.pool.follow({
        cell: this.cell.memory,
        partialPath: this.partial.partialPath,
        sizeBytes: this.file.sizeBytes,
        digests: digestSpecs(this.file.plan.digests, this.file.observed.digests),
        ...modifiedAtOf(this.file),
      });
      await this.fetchGaps().catch(async (error: unknown) => {
        this.cell.stop();
        await hashing;
        throw error;
      });
      progress.phase = 'hashing';
      const hashed = await hashing;
      signal.throwIfAborted();
      if (hashed.kind === 'failed') {
        // After a flush that failed nobody knows which bytes the disk has: all of them come again (rule 14).
        await dropPartial(this.partial.partialPath).catch(() => undefined);
        throw fromPlainError(hashed.error);
      }
      if (hashed.kind === 'stopped') {
        throw new WaybillError('WB_UNEXPECTED', 'the hash was stopped');
      }
      return {
        partialPath: this.partial.partialPath,
        sizeBytes: this.file.sizeBytes,
        digests: hashed.digests,
        observed: this.file.observed,
        stamp: hashed.stamp,
        bytesFetched: this.cell.bytes,
      };
    } finally {
      unwatch();
      uncount();
    }
  }

  private gapsBeside(runs: readonly Run[]): Run[] {
    return gapsOf(runs, this.file.sizeBytes, this.isParallel ? PART_BYTES : undefined);
  }

  /** Proves recorded parts (rule 16); those that differ become gaps, the others count as done. */
  private async prove(recorded: readonly Extent[]): Promise<void> {
    const { partialPath } = this.partial;
    const { signal } = this.context;
    const proven = await proveExtents(this.pull.pool, partialPath, recorded, this.cell, signal);
    const kept = new Set(proven);
    const damaged = recorded.filter((extent) => !kept.has(extent));
    for (const extent of proven) this.frontier.add(extent);
    this.claimedBytes -= bytesOf(damaged);
    if (this.isParallel) this.gaps.push(...joinRuns(damaged, PART_BYTES));
    else this.gaps = this.gapsBeside(proven);
    this.cell.frontier = this.frontier.bytes;
  }

  private async fetchGaps(): Promise<void> {
    const lanes = this.isParallel ? MAX_STREAMS : 1;
    const results = await Promise.allSettled(Array.from({ length: lanes }, () => this.stream()));
    // Whoever failed first may have left the proof running: nothing of this attempt may outlive it.
    const proof = await Promise.allSettled([this.proving]);
    this.context.signal.throwIfAborted();
    const rejected = [...results, ...proof].find((result) => result.status === 'rejected');
    const error: unknown = this.failure ?? rejected?.reason;
    if (this.isRangeRefused && this.context.attempt > 1) await this.refuseRanges(error);
    if (error !== undefined) throw asWaybillError(error);
  }

  /** One wrong answer may be a slip; a second one, and the file starts from nothing as one stream (rule 12). */
  private async refuseRanges(cause: unknown): Promise<never> {
    await dropPartial(this.partial.partialPath);
    const { path } = this.file.plan;
    const message = `the source answers ranges of ${path} wrongly: ${asWaybillError(cause).message}`;
    throw new WaybillError('WB_UNSUPPORTED', message, { path, scope: 'file', cause });
  }

  /** Fetches gap after gap; at the end it waits for the proof, which may find more. */
  private async stream(): Promise<void> {
    for (;;) {
      if (this.failure !== undefined || this.cell.isStopped) return;
      const gap = this.gaps.shift();
      if (gap !== undefined) await this.fetchGap(gap);
      else if (this.proving === undefined) return;
      else {
        await this.proving;
        if (this.gaps.length === 0) return;
      }
    }
  }

  private async fetchGap(gap: Run): Promise<void> {
    const { plan, sizeBytes, pin } = this.file;
    const taken = await takePermits(this.pull, 1, this.context);
    try {
      // While it waited another stream may have failed: then this attempt is over.
      if (this.failure !== undefined || this.cell.isStopped) return;
      const outcome = await this.pull.pool.fetchRange({
        address: this.pull.address,
        round: this.pull.round,
        cell: this.cell.memory,
        pace: this.pull.limits.pace,
        sourcePath: plan.sourcePath ?? plan.path,
        partialPath: this.partial.partialPath,
        sidecarPath: this.partial.sidecarPath,
        offsetBytes: gap.offsetBytes,
        lengthBytes: gap.lengthBytes,
        recordBytes: recordBytesOf(sizeBytes),
        sizeBytes,
        pin,
        movesFrontier: !this.isParallel,
      });
      this.frontier.add({ offsetBytes: gap.offsetBytes, lengthBytes: outcome.lengthBytes });
      this.cell.frontier = this.frontier.bytes;
      if (outcome.kind === 'failed') {
        const failure = fromPlainError(outcome.error);
        this.isRangeRefused ||= outcome.isRangeRefused === true;
        this.failure ??= failure;
        this.pull.limits.noteAnswer(failure);
      } else if (outcome.kind === 'fetched') this.pull.limits.noteAnswer();
    } catch (error) {
      this.pull.limits.threadDied();
      throw error;
    } finally {
      this.pull.limits.permits.give(taken);
    }
  }
}

/** Every part is whole records; of a file so large that the lines would be many, a part is one. */
function recordBytesOf(sizeBytes: number): number {
  let bytes = RECORD_BYTES;
  while (bytes < PART_BYTES && sizeBytes / bytes > MAX_RECORDS) bytes *= 2;
  return bytes;
}

function modifiedAtOf(file: LargeFile): { modifiedAt?: string } {
  const modifiedAt = file.observed.modifiedAt ?? file.plan.modifiedAt;
  return modifiedAt === undefined ? {} : { modifiedAt };
}
