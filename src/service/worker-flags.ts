/** What V8 is told in a process that moves bytes. */
import { setFlagsFromString } from 'node:v8';

/**
 * A function is optimized only when it has run fifteen times as long as by default: most pulls are over before that pays, and what
 * V8 compiled beside them took a sixth of the processor from a few thousand small files. A hundred thousand take as long as
 * before. Node 20 alone: a newer V8 has another compiler in between, and does not know the flag.
 */
const LATER_OPTIMIZING = process.versions.v8.startsWith('11.')
  ? ['--interrupt-budget=1000000']
  : [];

/**
 * A heap grows by half at most between two collections of all of it, from its first megabytes on. V8 reads these flags when it uses
 * them: they may be set in a process that runs.
 */
const LATE_FLAGS = ['--heap-growing-percent=50', ...LATER_OPTIMIZING];

/**
 * A small young generation is collected often, so that buffers outside the heap go early. Together the worker stays some 130 MB
 * smaller. Another 50 MB are to be had with `--optimize-for-size`, which all but doubles what many small files cost: it
 * collects all the time. A collection of a few megabytes is over before helpers have woken up, and they wake up on the cores of
 * the fetching threads. With four times as large a young generation of the main thread a hundred thousand local files take a
 * tenth less processor, and a worker of a million files comes near the 400 MB that it may have.
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
