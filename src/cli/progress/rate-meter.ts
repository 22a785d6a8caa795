/** How fast bytes arrive, by the monotonic clock (rule 34). */

/** The rate is that of the last so many milliseconds. */
const WINDOW_MS = 10_000;

/** Before so much time has passed a rate says nothing. */
const MIN_SPAN_MS = 900;

/** Looks at a count of bytes. */
export interface RateSamples {
  readonly samples: readonly { readonly atMs: number; readonly bytes: number }[];
}

export const NO_SAMPLES: RateSamples = { samples: [] };

/** The samples with one more; those that left the window are dropped, but for one at its edge. */
export function addSample({ samples }: RateSamples, atMs: number, bytes: number): RateSamples {
  const next = [...samples, { atMs, bytes }];
  const firstInside = next.findIndex((sample) => atMs - sample.atMs <= WINDOW_MS);
  return { samples: next.slice(Math.max(0, firstInside - 1)) };
}

/** Bytes per second over the window; undefined while it is too early to say. */
export function rateOf({ samples }: RateSamples, nowMs: number): number | undefined {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const spanMs = Math.max(nowMs, last.atMs) - first.atMs;
  if (spanMs < MIN_SPAN_MS) return undefined;
  return Math.max(0, ((last.bytes - first.bytes) * 1000) / spanMs);
}
