/** One run of one contender: how long, how much processor, how much memory. */
import { spawn } from 'node:child_process';
import type { Command } from './case.js';
import {
  cpuSeconds,
  cpuSecondsOfChildren,
  familyOf,
  forgetPeak,
  peakBytes,
} from '../../test/helpers/process-usage.js';

/** What a run needed. */
export interface Usage {
  readonly seconds: number;
  /** Of the command, its children and the helpers. */
  readonly cpuSeconds: number;
  /** The peaks of all of them, added up. */
  readonly peakBytes: number;
}

export interface MeasureOptions {
  readonly helpers?: () => readonly number[];
  readonly signal: AbortSignal;
}

const LOOK_EVERY_MS = 20;

/**
 * Runs a command to its end.
 * @throws Error with the end of what it printed when it does not end with 0; the signal's reason when aborted
 */
export async function measure(command: Command, options: MeasureOptions): Promise<Usage> {
  options.signal.throwIfAborted();
  const before = new Map((options.helpers?.() ?? []).map((pid) => [pid, cpuSeconds(pid)]));
  for (const pid of before.keys()) forgetPeak(pid);
  const children = cpuSecondsOfChildren();
  const startedAt = performance.now();
  const peaks = await runToEnd(command, options.signal);
  const seconds = (performance.now() - startedAt) / 1_000;
  // A helper that the command started has worked for nobody else.
  const helpers = options.helpers?.() ?? [];
  const helped = helpers.map((pid) => cpuSeconds(pid) - (before.get(pid) ?? 0));
  const own = cpuSecondsOfChildren() - children;
  const memory = [...peaks, ...helpers.map(peakBytes)];
  return { seconds, cpuSeconds: own + sumOf(helped), peakBytes: sumOf(memory) };
}

/** Resolves to the peak of each process of the command, as last seen. */
async function runToEnd({ argv, env }: Command, signal: AbortSignal): Promise<Iterable<number>> {
  const [program = '', ...args] = argv;
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2_000);
    });
  }
  const peaks = new Map<number, number>();
  const { pid } = child;
  const look = (): void => {
    if (pid === undefined) return;
    for (const member of familyOf(pid)) {
      peaks.set(member, Math.max(peaks.get(member) ?? 0, peakBytes(member)));
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  const kill = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', kill, { once: true });
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    signal.throwIfAborted();
    if (exitCode !== 0) throw new Error(`exit ${exitCode}: ${lastLines(said)}`);
    return peaks.values();
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', kill);
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' / ').slice(-400);
}

function sumOf(values: Iterable<number>): number {
  return [...values].reduce((sum, value) => sum + value, 0);
}
