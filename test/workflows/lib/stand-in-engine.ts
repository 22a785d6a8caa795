/** A transfer engine without bytes: it answers from a script, so that a workflow meets what it must survive. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Failure, PullEnd, PullLimits, PullResult } from '../../../src/model/pull.js';
import type {
  CallContext,
  PlannedPage,
  PullRef,
  TransferEngine,
  UnitLabel,
  UnitRef,
  UnitResult,
} from '../../../src/transfer/api.js';

export const UNIT_BYTES = 1_000;

/** What a test scripts; whatever it leaves out goes well at once. */
export interface Script {
  /** Units of each page. */
  readonly pages: readonly number[];
  readonly needsWholePlan?: boolean;
  readonly resolve?: (call: number, context: CallContext) => Promise<void>;
  readonly claim?: (call: number) => Promise<void>;
  readonly plan?: (page: number, context: CallContext) => Promise<void>;
  /** Called before a unit counts as done. */
  readonly unit?: (unit: UnitRef, call: number, context: CallContext) => Promise<void>;
  /** Entries that leave their pack. */
  readonly expelled?: (unit: UnitRef) => readonly number[];
  readonly seal?: (call: number) => Promise<void>;
}

export class StandInEngine implements TransferEngine {
  readonly done = new Set<string>();
  readonly recorded: (UnitRef & { failure: Failure })[] = [];
  readonly calls = new Map<string, number>();
  readonly tuned: PullLimits[] = [];
  isReleased = false;
  end: PullEnd | undefined;
  isSealed = false;
  running = 0;

  constructor(private readonly script: Script) {}

  callsOf(name: string): number {
    return this.calls.get(name) ?? 0;
  }

  async resolve(_input: unknown, context: CallContext): ReturnType<TransferEngine['resolve']> {
    await this.script.resolve?.(this.count('resolve'), context);
    return { uri: 'file:///source', settings: {}, kind: 'tree', name: 'source' };
  }

  async claim(input: Parameters<TransferEngine['claim']>[0]): ReturnType<TransferEngine['claim']> {
    await this.script.claim?.(this.count('claim'));
    const ref: PullRef = {
      pullId: input.pullId,
      runId: input.runId,
      recordDir: `${input.request.destination.path}/.waybill`,
      destinationId: 'd',
      epoch: 1,
    };
    const { path } = input.request.destination;
    return { ref, destination: path, needsWholePlan: this.script.needsWholePlan ?? false };
  }

  async planPage(input: { page: number }, context: CallContext): Promise<PlannedPage> {
    this.count(`plan ${input.page}`);
    await this.script.plan?.(input.page, context);
    const units = this.script.pages[input.page] ?? 0;
    return {
      page: input.page,
      units,
      files: units,
      bytes: units * UNIT_BYTES,
      keptFiles: 0,
      keptBytes: 0,
      failedFiles: 0,
      failures: [],
      isLast: input.page >= this.script.pages.length - 1,
    };
  }

  async nameUnits(input: { page: number; from: number }): Promise<readonly UnitLabel[]> {
    this.count('nameUnits');
    const units = this.script.pages[input.page] ?? 0;
    const left = Math.max(0, Math.min(12, units - input.from));
    return Array.from({ length: left }, (_, index) => ({
      kind: 'pack' as const,
      label: `1 file: weights-${input.page}-${input.from + index}.bin`,
      files: 1,
      bytes: UNIT_BYTES,
    }));
  }

  async fetchUnit(input: UnitRef, context: CallContext): Promise<UnitResult> {
    const key = `${input.page}/${input.unit}${input.entry === undefined ? '' : `#${input.entry}`}`;
    const call = this.count(key);
    context.progress.name = key;
    context.progress.bytesTotal = UNIT_BYTES;
    this.running += 1;
    try {
      await this.script.unit?.(input, call, context);
    } finally {
      this.running -= 1;
    }
    context.progress.bytesDone = UNIT_BYTES;
    const expelled = input.entry === undefined ? (this.script.expelled?.(input) ?? []) : [];
    const files = expelled.length === 0 ? 1 : 0;
    if (files > 0) this.done.add(key);
    return { files, bytes: files * UNIT_BYTES, bytesFetched: files * UNIT_BYTES, expelled };
  }

  async recordFailure(input: UnitRef & { failure: Failure }): Promise<{ files: number }> {
    this.recorded.push(input);
    return { files: 1 };
  }

  async seal(): Promise<PullResult> {
    await this.script.seal?.(this.count('seal'));
    this.isSealed = true;
    const filesFailed = this.recorded.length;
    const ok = filesFailed === 0;
    return {
      ok,
      exitCode: ok ? 0 : 3,
      ...(ok ? {} : { code: 'WB_PARTIAL' as const, message: `${filesFailed} files failed` }),
      destination: '/destination',
      files: this.done.size,
      bytes: this.done.size * UNIT_BYTES,
      filesFetched: this.done.size,
      bytesFetched: this.done.size * UNIT_BYTES,
      filesKept: 0,
      filesStale: 0,
      filesSkipped: 0,
      levels: { size: this.done.size },
      failures: this.recorded.map(({ failure }) => failure),
      filesFailed,
      warnings: [],
    };
  }

  async tune({ limits }: Parameters<TransferEngine['tune']>[0]): Promise<void> {
    this.tuned.push(limits);
  }

  async release(input: Parameters<TransferEngine['release']>[0]): Promise<undefined> {
    this.isReleased = true;
    this.end = input.end;
    return undefined;
  }

  async close(): Promise<void> {}

  private count(name: string): number {
    const next = this.callsOf(name) + 1;
    this.calls.set(name, next);
    return next;
  }
}

/** Works for so long unless the signal says otherwise, as a transfer does. */
export async function workFor(ms: number, context: CallContext): Promise<void> {
  try {
    await sleep(ms, undefined, { signal: context.signal });
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason;
    throw error;
  }
}
