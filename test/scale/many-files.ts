/** Very many small files in one pull, whose service is killed when 60 % are there. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WaybillBed } from '../helpers/waybill.js';
import { historiesAt, type HistoryFigures } from './histories.js';
import { cpuSeconds, partsOf, Peaks } from './processes.js';

/** Files of one folder. */
const PER_FOLDER = 1_000;
const FILE_BYTES = 1_024;

/** Writes a tree of small files, each with bytes of its own. */
export function writeManyFiles(root: string, files: number): void {
  const bytes = Buffer.alloc(FILE_BYTES);
  for (let index = 0; index < files; index += 1) {
    const folder = join(root, `folder-${String(Math.floor(index / PER_FOLDER)).padStart(4, '0')}`);
    if (index % PER_FOLDER === 0) mkdirSync(folder, { recursive: true });
    bytes.write(createHash('sha256').update(String(index)).digest('hex'));
    writeFileSync(join(folder, `file-${String(index % PER_FOLDER).padStart(4, '0')}.bin`), bytes);
  }
}

/** What was measured. */
export interface ManyFigures {
  readonly files: number;
  readonly secondsToKill: number;
  /** From the restart to the first byte that is published anew. */
  readonly secondsToResume: number;
  readonly secondsInAll: number;
  readonly workerPeakMiB: number;
  readonly workerCpuSeconds: number;
  readonly temporalPeakMiB: number;
  readonly commandPeakMiB: number;
  readonly slowestStatusSeconds: number;
  readonly countsWentBack: number;
  readonly histories: HistoryFigures;
  readonly result: Readonly<Record<string, unknown>>;
}

interface Progress {
  readonly filesDone: number;
  readonly filesPlanned: number;
}

/** Bytes of the journals of a destination. */
function journalBytes(to: string): number {
  const folder = join(to, '.waybill', 'journal');
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** What a pull of very many files is made with. */
export interface ManyFiles {
  readonly bed: WaybillBed;
  readonly source: string;
  readonly to: string;
  readonly files: number;
  readonly timeoutMs: number;
  readonly say: (line: string) => void;
}

/** What the first half has measured. */
export interface FirstHalf {
  readonly secondsToKill: number;
  readonly workerPeakMiB: number;
  readonly workerCpuSeconds: number;
  readonly temporalPeakMiB: number;
  readonly slowestStatusSeconds: number;
  readonly countsWentBack: number;
}

/** Asks `waybill status` as somebody would who has just come, and keeps count. */
class Looks {
  slowestSeconds = 0;
  wentBack = 0;
  private last = 0;

  constructor(
    private readonly of: ManyFiles,
    private readonly peaks: Peaks,
  ) {}

  async filesDone(): Promise<number> {
    const { bed, to, say } = this.of;
    const started = performance.now();
    const { result } = await bed.run(['status', to, '--json']);
    this.slowestSeconds = Math.max(this.slowestSeconds, secondsSince(started));
    const { filesDone } = (result as { progress?: Progress }).progress ?? { filesDone: 0 };
    if (filesDone < this.last) this.wentBack += 1;
    this.last = filesDone;
    const memory = `worker ${this.peaks.of('worker')} MiB`;
    say(`${filesDone} files, ${memory}, status in ${secondsSince(started).toFixed(1)} s`);
    return filesDone;
  }
}

const secondsSince = (from: number): number => (performance.now() - from) / 1_000;

/** Pulls, and kills service, Temporal and worker at the given part of the files. A run that was cut is gone on with. */
export async function pullAndKill(of: ManyFiles, killAt: number): Promise<FirstHalf> {
  const { bed, source, to, files } = of;
  const peaks = new Peaks();
  const looks = new Looks(of, peaks);
  const start = performance.now();
  try {
    const detached = await bed.run(['pull', source, to, '--detach', '--json']);
    if (detached.exitCode !== 0) throw new Error(detached.stderr);
    const { service, temporal, worker } = await partsOf(bed);
    peaks.watch('worker', worker);
    peaks.watch('temporal', temporal);
    while ((await looks.filesDone()) < files * killAt) await sleep(500);
    const workerCpuSeconds = cpuSeconds(worker);
    for (const pid of [service, temporal, worker]) process.kill(pid, 'SIGKILL');
    return {
      secondsToKill: secondsSince(start),
      workerPeakMiB: peaks.of('worker'),
      workerCpuSeconds,
      temporalPeakMiB: peaks.of('temporal'),
      slowestStatusSeconds: looks.slowestSeconds,
      countsWentBack: looks.wentBack,
    };
  } finally {
    peaks.end();
  }
}

/** The same command again, to its end. */
export async function resumeToEnd(of: ManyFiles, first: FirstHalf): Promise<ManyFigures> {
  const { bed, source, to, files, timeoutMs, say } = of;
  const peaks = new Peaks();
  const looks = new Looks(of, peaks);
  try {
    const before = journalBytes(to);
    const again = performance.now();
    const pulling = bed.start(['pull', source, to, '--json'], { timeoutMs });
    peaks.watch('command', pulling.pid);
    let isOver = false;
    const ended = pulling.done.finally(() => {
      isOver = true;
    });
    ended.catch(() => undefined);
    // A new journal has its head first.
    while (!isOver && journalBytes(to) < before + 4_096) await sleep(20);
    const secondsToResume = secondsSince(again);
    say(`resumed after ${secondsToResume.toFixed(1)} s`);
    const { worker, temporal, address } = await partsOf(bed);
    peaks.watch('worker', worker);
    peaks.watch('temporal', temporal);
    while (!isOver) {
      await looks.filesDone();
      await Promise.race([ended.catch(() => undefined), sleep(2_000)]);
    }
    const { result } = await ended;
    return {
      files,
      secondsToKill: first.secondsToKill,
      secondsToResume,
      secondsInAll: first.secondsToKill + secondsSince(again),
      workerPeakMiB: Math.max(first.workerPeakMiB, peaks.of('worker')),
      workerCpuSeconds: first.workerCpuSeconds + cpuSeconds(worker),
      temporalPeakMiB: Math.max(first.temporalPeakMiB, peaks.of('temporal')),
      commandPeakMiB: peaks.of('command'),
      slowestStatusSeconds: Math.max(first.slowestStatusSeconds, looks.slowestSeconds),
      countsWentBack: first.countsWentBack + looks.wentBack,
      histories: await historiesAt(address),
      result,
    };
  } finally {
    peaks.end();
  }
}
