/** Looks at a pull as somebody does who has just come: a `waybill status` of its own each time. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KilledPull } from './killed-pull.js';
import type { Peaks } from './processes.js';

interface Progress {
  readonly filesDone: number;
  readonly filesPlanned: number;
  readonly bytesDone: number;
}

const NONE: Progress = { filesDone: 0, filesPlanned: 0, bytesDone: 0 };

/** Between two looks. */
const PAUSE_MS = { part: 20, look: 1_000 };

/** Keeps count of what a look costs, and of counts that went back. */
export class Looks {
  private count = 0;
  private slowestSeconds = 0;
  private wentBack = 0;
  private last = NONE;
  private isOver = false;

  constructor(
    private readonly of: KilledPull,
    private readonly peaks: Peaks,
  ) {}

  /** Looks until so much is there; `each` comes before every look. */
  async until(part: number, each: () => unknown): Promise<void> {
    const { bytes, partDone } = this.of;
    if (partDone === undefined) {
      do each();
      while ((await this.look()).bytesDone < bytes * part && (await this.pause()));
      return;
    }
    let looking: Promise<unknown> | undefined;
    let failed: { readonly error: unknown } | undefined;
    while (partDone() < part && !this.isOver) {
      each();
      looking ??= this.look()
        .then(() => this.pause())
        .catch((error: unknown) => (failed = { error }))
        .finally(() => (looking = undefined));
      await sleep(PAUSE_MS.part);
      if (failed !== undefined) throw failed.error;
    }
  }

  /** Looks until it has ended. */
  async untilEnded(ended: Promise<unknown>, each: () => void): Promise<void> {
    const end = ended.then(
      () => (this.isOver = true),
      () => (this.isOver = true),
    );
    while (!this.isOver) {
      each();
      await this.look();
      await Promise.race([end, this.pause()]);
    }
  }

  /** Looks that are under way do not count any more. */
  end(): void {
    this.isOver = true;
  }

  figures(): { looks: number; slowestStatusSeconds: number; countsWentBack: number } {
    return {
      looks: this.count,
      slowestStatusSeconds: this.slowestSeconds,
      countsWentBack: this.wentBack,
    };
  }

  private async look(): Promise<Progress> {
    const { bed, to, say } = this.of;
    const started = performance.now();
    const { result, exitCode } = await bed.run(['status', to, '--json']);
    const seconds = (performance.now() - started) / 1_000;
    const seen = (result as { progress?: Progress }).progress;
    const { state } = result;
    if (!this.isOver && (state === 'failed' || state === 'cancelled')) {
      throw new Error(`it has ended: ${JSON.stringify(result['result'])}`);
    }
    if (this.isOver || exitCode !== 0 || seen === undefined) return NONE;
    this.count += 1;
    this.slowestSeconds = Math.max(this.slowestSeconds, seconds);
    const keys = ['filesDone', 'filesPlanned', 'bytesDone'] as const;
    if (keys.some((key) => seen[key] < this.last[key])) this.wentBack += 1;
    this.last = seen;
    const memory = `worker ${this.peaks.of('worker')} MiB`;
    say(
      `${seen.filesDone} files, ${seen.bytesDone} bytes, ${memory}, status in ${seconds.toFixed(1)} s`,
    );
    return seen;
  }

  private pause(): Promise<true> {
    return sleep(PAUSE_MS.look, true as const);
  }
}
