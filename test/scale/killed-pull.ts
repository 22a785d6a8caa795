/** A large pull that is killed on its way and taken up again, and what that costs. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningWaybill, WaybillBed } from '../helpers/waybill.js';
import { historiesAt, type HistoryFigures } from './histories.js';
import { Looks } from './looks.js';
import { partsOf, Peaks } from './processes.js';

/** Which processes are killed, when so much of the bytes is there. */
export interface Kill {
  readonly at: number;
  readonly what: readonly ('service' | 'temporal' | 'worker')[];
}

/** A pull as it is made and looked at. */
export interface KilledPull {
  readonly bed: WaybillBed;
  readonly source: string;
  readonly to: string;
  readonly bytes: number;
  readonly kills: readonly Kill[];
  readonly timeoutMs: number;
  readonly say: (line: string) => void;
  /** How much of it is there, where that is quicker to see than by `waybill status`. */
  readonly partDone?: () => number;
}

/** What the first half has measured; a number each, so that halves can be put together. */
export interface HalfFigures {
  readonly seconds: number;
  readonly workerPeakMiB: number;
  readonly workerCpuSeconds: number;
  readonly temporalPeakMiB: number;
  readonly looks: number;
  readonly slowestStatusSeconds: number;
  readonly countsWentBack: number;
}

/** What the whole has measured. */
export interface PullFigures extends HalfFigures {
  readonly secondsToKill: number;
  /** From the restart to the first record of bytes that came anew. */
  readonly secondsToResume: number;
  readonly commandPeakMiB: number;
  /** Plan, journal and the like, just before the end. */
  readonly recordMiB: number;
  readonly histories: HistoryFigures;
  readonly result: Readonly<Record<string, unknown>>;
}

const secondsSince = (from: number): number => (performance.now() - from) / 1_000;

/** Bytes of what is recorded of progress: journals, and the sidecars of large files. */
function progressBytes(to: string): number {
  const sizeOf = (folder: string, isCounted: (name: string) => boolean): number => {
    const path = join(to, '.waybill', folder);
    if (!existsSync(path)) return 0;
    return readdirSync(path)
      .filter(isCounted)
      .reduce(
        (sum, name) => sum + (statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0),
        0,
      );
  };
  return sizeOf('journal', () => true) + sizeOf('partial', (name) => name.endsWith('.parts'));
}

/** Bytes of the record folder, without the bytes of files on their way. */
function recordBytes(to: string): number {
  const root = join(to, '.waybill');
  if (!existsSync(root)) return 0;
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter(
      (entry) =>
        entry.isFile() && (!entry.parentPath.endsWith('partial') || entry.name.endsWith('.parts')),
    )
    .map(
      (entry) => statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0,
    )
    .reduce((sum, size) => sum + size, 0);
}

/** Pulls and kills, and does not wait for the end. A run that was cut is gone on with. */
export async function pullAndKill(of: KilledPull): Promise<HalfFigures> {
  const { bed, source, to } = of;
  const peaks = new Peaks();
  const looks = new Looks(of, peaks);
  const start = performance.now();
  try {
    const detached = await bed.run(['pull', source, to, '--detach', '--json']);
    if (detached.exitCode !== 0) throw new Error(detached.stderr);
    for (const { at, what } of of.kills) {
      await looks.until(at, () => peaks.watchAll(partsOf(bed)));
      const parts = partsOf(bed);
      peaks.watchAll(parts);
      of.say(`killing ${what.join(', ')}`);
      peaks.look();
      for (const one of what) process.kill(parts[one] ?? 0, 'SIGKILL');
    }
    return { seconds: secondsSince(start), ...peaks.figures(), ...looks.figures() };
  } finally {
    looks.end();
    peaks.end();
  }
}

async function untilMore(to: string, pulling: RunningWaybill): Promise<void> {
  const over = { isSo: false };
  void pulling.done.finally(() => (over.isSo = true)).catch(() => undefined);
  const before = progressBytes(to);
  // A new journal has its head first.
  while (!over.isSo && progressBytes(to) < before + 1_024) await sleep(20);
}

/** The same command again, to its end. */
export async function resumeToEnd(of: KilledPull, first: HalfFigures): Promise<PullFigures> {
  const { bed, source, to, timeoutMs, say } = of;
  const peaks = new Peaks();
  const looks = new Looks(of, peaks);
  try {
    const again = performance.now();
    const pulling = bed.start(['pull', source, to, '--json'], { timeoutMs });
    peaks.watch('command', pulling.pid);
    await untilMore(to, pulling);
    const secondsToResume = secondsSince(again);
    say(`resumed after ${secondsToResume.toFixed(1)} s`);
    let recorded = 0;
    const each = (): void => {
      peaks.watchAll(partsOf(bed));
      recorded = Math.max(recorded, recordBytes(to));
    };
    await looks.untilEnded(pulling.done, each);
    const { result } = await pulling.done;
    const [own, seen] = [peaks.figures(), looks.figures()];
    return {
      seconds: first.seconds + secondsSince(again),
      secondsToKill: first.seconds,
      secondsToResume,
      workerPeakMiB: Math.max(first.workerPeakMiB, own.workerPeakMiB),
      workerCpuSeconds: first.workerCpuSeconds + own.workerCpuSeconds,
      temporalPeakMiB: Math.max(first.temporalPeakMiB, own.temporalPeakMiB),
      commandPeakMiB: peaks.of('command'),
      recordMiB: Math.round(recorded / 1024 / 1024),
      looks: first.looks + seen.looks,
      slowestStatusSeconds: Math.max(first.slowestStatusSeconds, seen.slowestStatusSeconds),
      countsWentBack: first.countsWentBack + seen.countsWentBack,
      histories: await historiesAt(partsOf(bed).address),
      result,
    };
  } finally {
    looks.end();
    peaks.end();
  }
}
