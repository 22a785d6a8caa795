/** A wall clock that jumps, for one process: libfaketime. The monotonic clock goes on as it does when somebody sets the time. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianProgram } from './debian.js';
import type { DebianProgram } from './debian.js';

/** libfaketime, the system's own or from Debian's package in the cache. */
export async function ensureFaketime(onProgress: (line: string) => void): Promise<DebianProgram> {
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  const binary = `/usr/lib/${triplet}/faketime/libfaketime.so.1`;
  return ensureDebianProgram({ name: 'faketime', binary, packages: ['libfaketime'] }, onProgress);
}

export interface Clock {
  /** What the process has in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on the wall clock is so far from the true time: `+1d`, `-1d`, `+0`. */
  jump(offset: string): void;
}

/** A clock that is right until it jumps; `dir` is where it keeps its offset. */
export async function startClock(dir: string): Promise<Clock> {
  const library = await ensureFaketime((line) => process.stderr.write(`${line}\n`));
  const file = join(dir, 'clock');
  const jump = (offset: string): void => writeFileSync(file, `${offset}\n`);
  jump('+0');
  return {
    env: {
      LD_PRELOAD: library.path,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    },
    jump,
  };
}
