/** When the service has had nothing to do for long enough to end itself. */

/** What counts as something to do. */
export interface Occupation {
  readonly clients: number;
  /** Open, unpaused pulls; undefined while nobody can tell. */
  readonly openPulls: number | undefined;
  /** `waybill up`. */
  readonly isKept: boolean;
}

/** Measures idle time by the monotonic clock (rule 34). */
export interface IdleClock {
  /** Takes a look; true when the service has been idle for the whole time. */
  isOver(occupation: Occupation): boolean;
  /** Something happened just now. */
  touch(): void;
}

/**
 * Makes a clock that starts now.
 * @param idleAfterMs how long without open pulls and clients is enough
 * @param nowMs the monotonic clock
 */
export function createIdleClock(
  idleAfterMs: number,
  nowMs: () => number = () => performance.now(),
): IdleClock {
  let lastBusyMs = nowMs();
  return {
    isOver({ clients, openPulls, isKept }) {
      if (isKept || clients > 0 || (openPulls !== undefined && openPulls > 0)) lastBusyMs = nowMs();
      return nowMs() - lastBusyMs >= idleAfterMs;
    },
    touch() {
      lastBusyMs = nowMs();
    },
  };
}
