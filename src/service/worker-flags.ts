/** What V8 is told in a process that moves bytes. */
import { setFlagsFromString } from 'node:v8';

/**
 * A heap grows by half at most between two collections of all of it, from its first megabytes on. Compiling a function once
 * more for speed pays off only where it runs often: the first pull of thousands of small files spent a quarter of its processor
 * time in that compiler. At 2,000,000 a pull of 100,000 files waits too long for its fast functions. V8 reads both when it uses
 * them: they may be set in a process that runs.
 */
const LATE_FLAGS = ['--heap-growing-percent=50', '--interrupt-budget=300000'];

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
