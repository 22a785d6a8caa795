/** The pulse of one attempt: heartbeats by a timer, and the watch that ends an attempt which stands still. */
import { cutText } from '../model/caps.js';
import { WaybillError } from '../model/errors.js';
import type { Beat } from '../model/beat.js';
import { LEAST_PROGRESS_BYTES } from '../model/least-progress.js';
import type { UnitProgress } from '../transfer/api.js';
import {
  BEAT_EVERY_MS,
  FIRST_BEAT_AFTER_MS,
  SILENT_AFTER_MS,
  STALLED_AFTER_MS,
  STORE_GOES_FIRST_MS,
  WAITS_FOR_SOURCE,
} from './limits.js';
import type { Tries } from './failures.js';

/** The last three of them go into a beat, which has 1 KiB (rule 29). */
const DECISION_BYTES = 130;

/** What the pulse needs from around it. */
export interface PulseOptions {
  /** What the attempt before this one left behind. */
  readonly before: unknown;
  readonly progress: UnitProgress;
  readonly send: (beat: Beat) => void;
  /** Called once, with the reason, when the attempt has to end itself. */
  readonly stop: (reason: WaybillError) => void;
  /** Called at the first progress; absent: nobody waits for it. */
  readonly progressed?: () => void;
  /** When this attempt began, in Unix milliseconds of Temporal's clock. */
  readonly begunAtMs: number;
  /** How long Temporal has not been reached from here. */
  readonly silentForMs: () => number;
  readonly stalledAfterMs?: Partial<Record<UnitProgress['phase'], number>>;
  readonly beatEveryMs?: number;
}

function numberIn(value: unknown, key: keyof Beat): number {
  if (typeof value !== 'object' || value === null) return 0;
  const field = new Map<string, unknown>(Object.entries(value)).get(key);
  return typeof field === 'number' && Number.isFinite(field) ? field : 0;
}

/** A whole file is progress, and so is a name of a listing that knows no sizes. */
function doneOf({ bytesDone, filesDone }: Pick<UnitProgress, 'bytesDone' | 'filesDone'>): number {
  return bytesDone + filesDone * LEAST_PROGRESS_BYTES;
}

function foundOf({ bytesFound = 0, filesFound = 0 }: UnitProgress): number {
  return doneOf({ bytesDone: bytesFound, filesDone: filesFound });
}

function concurrencyIn({ concurrency }: UnitProgress): Pick<Beat, 'c' | 'd'> {
  if (concurrency === undefined) return {};
  const d = concurrency.decisions.map(
    ({ atMs, text }) => [new Date(atMs).toISOString(), cutText(text, DECISION_BYTES)] as const,
  );
  return { c: concurrency.connections, ...(d.length === 0 ? {} : { d }) };
}

/** Beats from construction until `end`. */
export class Pulse {
  private readonly timer: NodeJS.Timeout;
  private readonly first: NodeJS.Timeout;
  private readonly highestBefore: number;
  private highest: number;
  /** As much as was done when something last counted as having arrived. */
  private arrived: number;
  private arrivedAtMs: number | undefined;
  private readonly begunAt = performance.now();
  private seen = '';
  private changedAt = performance.now();
  private isStopped = false;
  tries: Tries;

  constructor(private readonly options: PulseOptions) {
    this.highestBefore = numberIn(options.before, 'h');
    this.highest = this.highestBefore;
    this.arrived = this.highestBefore;
    const lastBefore = numberIn(options.before, 'l');
    this.arrivedAtMs = lastBefore === 0 ? undefined : lastBefore;
    this.tries = {
      withoutProgress: numberIn(options.before, 't'),
      withWrongBytes: numberIn(options.before, 'm'),
    };
    const everyMs = options.beatEveryMs ?? BEAT_EVERY_MS;
    this.timer = setInterval(() => this.tick(), everyMs);
    // Temporal sends the first beat at once and then waits: by now it can say what the attempt is about.
    this.first = setTimeout(() => this.beat(), Math.min(FIRST_BEAT_AFTER_MS, everyMs));
  }

  /** Whether this attempt got past all before it. */
  get hasProgressed(): boolean {
    const { progress } = this.options;
    const before = Math.max(this.highestBefore, foundOf(progress));
    return Math.max(this.highest, doneOf(progress)) >= before + LEAST_PROGRESS_BYTES;
  }

  /** When something last arrived, in this attempt or one before it: Unix milliseconds of Temporal's clock. */
  get movedAtMs(): number | undefined {
    const { progress, begunAtMs } = this.options;
    const done = doneOf(progress);
    if (done >= Math.max(this.arrived, foundOf(progress)) + LEAST_PROGRESS_BYTES) {
      this.arrived = done;
      this.arrivedAtMs = Math.round(begunAtMs + performance.now() - this.begunAt);
    }
    return this.arrivedAtMs;
  }

  /** Sends the counters as they are now. */
  beat(): void {
    const { progress } = this.options;
    this.highest = Math.max(this.highest, doneOf(progress));
    const l = this.movedAtMs;
    const { checking } = progress;
    const { bytesDone, bytesTotal } = checking ?? progress;
    this.options.send({
      p: progress.phase,
      n: cutText(checking === undefined ? progress.name : `checking ${checking.name}`, 200),
      f: progress.filesDone,
      F: progress.filesTotal,
      b: bytesDone,
      B: bytesTotal,
      h: this.highest,
      ...(l === undefined ? {} : { l }),
      t: this.tries.withoutProgress,
      m: this.tries.withWrongBytes,
      ...concurrencyIn(progress),
    });
  }

  /** Stops beating. */
  end(): void {
    clearInterval(this.timer);
    clearTimeout(this.first);
  }

  private tick(): void {
    this.beat();
    if (this.isStopped) return;
    const { progress, progressed } = this.options;
    if (progressed !== undefined && this.hasProgressed) {
      this.isStopped = true;
      return progressed();
    }
    const { phase, filesDone, bytesDone, bytesChecked = 0, heldMs, name } = progress;
    const now = [phase, filesDone, bytesDone, bytesChecked, heldMs, name].join(' ');
    if (now !== this.seen) {
      this.seen = now;
      this.changedAt = performance.now();
    }
    const limitMs = this.stalledAfterMs();
    if (performance.now() - this.changedAt > limitMs) this.stopStalled(limitMs);
    else if (this.options.silentForMs() > SILENT_AFTER_MS) this.stopSilent();
  }

  private stalledAfterMs(): number {
    const { phase, patience, awaitsSource } = this.options.progress;
    const usualMs = this.options.stalledAfterMs?.[phase] ?? STALLED_AFTER_MS[phase];
    if (patience === undefined || !WAITS_FOR_SOURCE.includes(phase)) return usualMs;
    const allowedMs = Math.max(patience.stallMs, awaitsSource === true ? patience.answerMs : 0);
    return allowedMs <= usualMs ? usualMs : allowedMs + STORE_GOES_FIRST_MS;
  }

  private stopStalled(limitMs: number): void {
    const { phase, name } = this.options.progress;
    const isLocal = phase === 'flushing' || phase === 'sealing' || phase === 're-checking';
    const what = name === '' ? phase : `${phase} ${name}`;
    this.isStopped = true;
    this.options.stop(
      new WaybillError(
        isLocal ? 'WB_DESTINATION_FAILED' : 'WB_TIMEOUT',
        `nothing moved for ${Math.round(limitMs / 1_000)} s while ${cutText(what, 300)}`,
        { operation: phase, path: name },
      ),
    );
  }

  private stopSilent(): void {
    this.isStopped = true;
    this.options.stop(
      new WaybillError(
        'WB_TEMPORAL_UNREACHABLE',
        `Temporal was not reached for ${SILENT_AFTER_MS / 1_000} s; another attempt may have begun`,
      ),
    );
  }
}
