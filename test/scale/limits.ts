/** What a pull may need, whatever its size. */
export const LIMITS = {
  workerPeakMiB: 400,
  secondsToResume: 30,
  maxEvents: 10_000,
  maxBytes: 10 * 1024 * 1024,
} as const;
