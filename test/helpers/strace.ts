/** The system calls of a process and its threads, in the order in which they began and ended. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { ensureDebianProgram } from './debian.js';
import type { DebianProgram } from './debian.js';

/** strace, the system's own or from Debian's package in the cache. */
export async function ensureStrace(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = ['strace', 'libunwind8'];
  return ensureDebianProgram({ name: 'strace', binary: '/usr/bin/strace', packages }, onProgress);
}

/** A call that succeeded. `began` and `ended` are places in one order of all beginnings and ends. */
export interface SystemCall {
  readonly name: string;
  /** As strace writes them, file descriptors with their paths: `fsync(7</tmp/x>)` has `7</tmp/x>`. */
  readonly args: string;
  readonly began: number;
  readonly ended: number;
}

/** Runs a command to its end and tells its calls of the given names. */
export async function traceCalls(
  logFile: string,
  names: readonly string[],
  command: readonly string[],
): Promise<readonly SystemCall[]> {
  const strace = await ensureStrace((line) => process.stderr.write(`${line}\n`));
  const own = ['-f', '-y', '-s', '120', '-e', `trace=${names.join(',')}`, '-o', logFile];
  const env = { ...process.env, ...strace.env };
  await promisify(execFile)(strace.path, [...own, ...command], { env });
  return parse(readFileSync(logFile, 'utf8'));
}

function parse(log: string): SystemCall[] {
  const open = new Map<string, { name: string; args: string; began: number }>();
  const calls: SystemCall[] = [];
  for (const [index, line] of log.split('\n').entries()) {
    const whole = /^(\d+)\s+(\w+)\((.*)\)\s+= \d+/u.exec(line);
    const begun = /^(\d+)\s+(\w+)\((.*) <unfinished \.\.\.>/u.exec(line);
    const resumed = /^(\d+)\s+<\.\.\. (\w+) resumed>(.*)\)\s+= \d+/u.exec(line);
    if (whole) {
      const [, , name = '', args = ''] = whole;
      calls.push({ name, args, began: index, ended: index });
    } else if (begun) {
      const [, thread = '', name = '', args = ''] = begun;
      open.set(thread, { name, args, began: index });
    } else if (resumed) {
      const [, thread = '', name = '', rest = ''] = resumed;
      const first = open.get(thread);
      open.delete(thread);
      if (first?.name === name) calls.push({ ...first, args: first.args + rest, ended: index });
    }
  }
  return calls;
}
