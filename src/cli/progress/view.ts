/** What the progress of a pull looks like at one moment: the last status, and what was seen before it. */
import type { PullProgress, PullStatus } from '../../model/pull.js';
import { addSample, NO_SAMPLES, rateOf, type RateSamples } from './rate-meter.js';

/** All that a frame is made from. */
export interface View {
  /** As typed, without secrets. */
  readonly source: string;
  readonly status: PullStatus | undefined;
  readonly samples: RateSamples;
  /** When a byte or a file was seen last, by a monotonic clock. */
  readonly movedAtMs: number | undefined;
  /** Said instead of the phase before the first status: `starting the local service`. */
  readonly prelude: string | undefined;
  /** Keys that work, for the last line. */
  readonly hint: string | undefined;
}

/** The view before anything is known. */
export function emptyView(source: string): View {
  return {
    source,
    status: undefined,
    samples: NO_SAMPLES,
    movedAtMs: undefined,
    prelude: undefined,
    hint: undefined,
  };
}

const MOVING = ['fetching', 're-checking'];

/** The view after one more look. What was already in place is no speed, so other phases start the samples again. */
export function addStatus(view: View, status: PullStatus, nowMs: number): View {
  const before = view.status?.progress;
  const { phase, bytesDone, isPlanComplete } = status.progress;
  const isMoved = before?.bytesDone !== bytesDone || before.filesDone !== status.progress.filesDone;
  const isSame = before?.phase === phase && before.isPlanComplete === isPlanComplete;
  const samples = isSame || !before ? view.samples : NO_SAMPLES;
  return {
    ...view,
    status,
    prelude: undefined,
    movedAtMs: isMoved || !isSame ? nowMs : view.movedAtMs,
    samples: MOVING.includes(phase) ? addSample(samples, nowMs, bytesDone) : NO_SAMPLES,
  };
}

/** The current rate, if there is one to speak of. */
export function viewRate(view: View, nowMs: number): number | undefined {
  return rateOf(view.samples, nowMs);
}

/** Silence is worth a word after so long. */
const STILL_AFTER_MS = 10_000;

/** For how long nothing has moved, where something should; undefined while that is nothing to worry about. */
export function stillMs(view: View, nowMs: number): number | undefined {
  const phase = view.status?.progress.phase;
  if (phase === undefined || !MOVING.includes(phase) || view.movedAtMs === undefined)
    return undefined;
  const sinceMs = nowMs - view.movedAtMs;
  return sinceMs >= STILL_AFTER_MS ? sinceMs : undefined;
}

/** Whether the planned bytes mean something: a source may not know its sizes. */
export function knowsBytes({ bytesPlanned, bytesDone, filesPlanned }: PullProgress): boolean {
  return filesPlanned === 0 || (bytesPlanned > 0 && bytesDone <= bytesPlanned);
}

/** How long the rest takes at this rate; undefined while that cannot be said. */
export function remainingMs(view: View, nowMs: number): number | undefined {
  const progress = view.status?.progress;
  const rate = viewRate(view, nowMs);
  if (!progress?.isPlanComplete || !knowsBytes(progress) || rate === undefined || rate < 1)
    return undefined;
  const left = progress.bytesPlanned - progress.bytesDone;
  return left > 0 ? (left / rate) * 1000 : undefined;
}
