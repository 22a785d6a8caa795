/** What V8 is told in a process that moves bytes. */
import { setFlagsFromString } from 'node:v8';

/**
 * A heap grows by half at most between two collections of all of it, from its first megabytes on. V8 reads it when it uses it: it
 * may be set in a process that runs.
 */
const LATE_FLAGS = ['--heap-growing-percent=50'];

/**
 * A small young generation is collected often, so that buffers outside the heap go early. Together the worker stays some 130 MB
 * smaller. Another 50 MB are to be had with `--optimize-for-size`, which all but doubles what many small files cost: it
 * collects all the time. A collection of a few megabytes is over before helpers have woken up, and they wake up on the cores of
 * the fetching threads.
 */
export const WORKER_FLAGS = [
  '--max-semi-space-size=4',
  '--initial-old-space-size=16',
  '--single-threaded-gc',
  ...LATE_FLAGS,
];

/** For a command that is a worker itself: what can still be set. Call it before threads are started. */
export function tuneForBytes(): void {
  for (const flag of LATE_FLAGS) setFlagsFromString(flag);
}
