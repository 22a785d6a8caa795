/** Counts what a worker does, with the meter of the SDK: its own metrics and ours are one scrape. */
import type { MetricGauge, MetricMeter } from '@temporalio/common';
import type { AttemptEnd, AttemptWatch, AttemptWatcher } from '../activities/watch.js';
import { ERRORS } from '../model/errors.js';
import { LEVELS } from '../model/level.js';
import type { UnitProgress } from '../transfer/api.js';
import { METRICS, type MetricRow } from './metric-table.js';

/** A worker of a cluster is not told when another one's probe has opened a pull: what it saw last is dropped after this. */
const BLOCK_IS_OLD_AFTER_MS = 15 * 60_000;

/** What a pull does once its destination is claimed; one that ends earlier is never released. */
const BLOCKABLE: ReadonlySet<string> = new Set(['planPages', 'fetchFile', 'fetchPack']);

/** How often gauges are set that nothing sets by itself. */
const LOOK_MS = 5_000;

/** What the gauges of the process say. */
export interface WorkerHealth {
  readonly isReady: boolean;
  readonly silentForMs: number;
}

/** The metrics of one worker. */
export interface WorkerMetrics {
  readonly watcher: AttemptWatcher;
  /** Looks at the worker now and then from here on. */
  observe(health: () => WorkerHealth): void;
  /** Looks at once. */
  look(): void;
  close(): void;
}

/** The exporter adds `_total` to what is a counter. */
const nameOf = ({ name }: MetricRow): string => name.replace(/_total$/, '');

/** A gauge that counts things which come and go. */
class Population {
  private readonly counts = new Map<string, number>();

  constructor(
    private readonly gauge: MetricGauge,
    private readonly label: string,
  ) {}

  change(value: string, by: number): void {
    const count = (this.counts.get(value) ?? 0) + by;
    this.counts.set(value, count);
    this.gauge.set(count, { [this.label]: value });
  }
}

/** Pulls that were last seen blocked, with the reason. */
class BlockedPulls {
  private readonly seen = new Map<string, { readonly code: string; readonly at: number }>();

  constructor(private readonly population: Population) {}

  block(pullId: string, code: string): void {
    this.open(pullId);
    this.seen.set(pullId, { code, at: performance.now() });
    this.population.change(code, 1);
  }

  open(pullId: string): void {
    const known = this.seen.get(pullId);
    if (known === undefined) return;
    this.seen.delete(pullId);
    this.population.change(known.code, -1);
  }

  dropOld(): void {
    const now = performance.now();
    for (const [pullId, { at }] of this.seen) {
      if (now - at > BLOCK_IS_OLD_AFTER_MS) this.open(pullId);
    }
  }
}

function numberIn(value: unknown, key: string): number {
  const found = fieldIn(value, key);
  return typeof found === 'number' ? found : 0;
}

function fieldIn(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([name]) => name === key)?.[1]
    : undefined;
}

/**
 * Makes every metric. Counters begin at 0 with all that their labels may say: Prometheus does not see an increase in one that
 * appears with its first event.
 */
export function createWorkerMetrics(
  meter: MetricMeter,
  version: string,
  stores: readonly string[],
): WorkerMetrics {
  const counter = (row: MetricRow) => meter.createCounter(nameOf(row), undefined, row.summary);
  const gauge = (row: MetricRow): MetricGauge =>
    meter.createGauge(nameOf(row), 'float', undefined, row.summary);
  const bytes = counter(METRICS.bytes);
  const files = counter(METRICS.files);
  const filesKept = counter(METRICS.filesKept);
  const filesFailed = counter(METRICS.filesFailed);
  const retries = counter(METRICS.retries);
  const blocks = counter(METRICS.blocks);
  const pullsEnded = counter(METRICS.pullsEnded);
  const inFlight = new Population(gauge(METRICS.inFlight), 'activity');
  const blocked = new BlockedPulls(new Population(gauge(METRICS.pullsBlocked), 'code'));
  const [ready, silent, memory] = [METRICS.ready, METRICS.silent, METRICS.memory].map(gauge);
  filesKept.add(0);
  for (const store of stores) {
    bytes.add(0, { store });
    for (const level of LEVELS) files.add(0, { store, level });
  }
  pullsEnded.add(0, { code: 'OK' });
  for (const [code, { retryable, scope }] of Object.entries(ERRORS)) {
    filesFailed.add(0, { code });
    pullsEnded.add(0, { code });
    if (retryable) retries.add(0, { code });
    if (retryable && scope !== 'file') blocks.add(0, { code });
  }
  gauge(METRICS.build).set(1, { version });
  let timer: NodeJS.Timeout | undefined;
  let observed: (() => WorkerHealth) | undefined;
  const look = (): void => {
    if (observed === undefined) return;
    const { isReady, silentForMs } = observed();
    ready?.set(isReady ? 1 : 0);
    silent?.set(Math.max(0, silentForMs) / 1_000);
    memory?.set(process.memoryUsage.rss());
    blocked.dropOld();
  };

  /** Counts what has moved since it was asked last. */
  const countsOf = (): ((progress: UnitProgress) => void) => {
    let countedBytes = 0;
    const countedFiles: Record<string, number> = {};
    return ({ store = 'none', bytesFetched = 0, published = {} }) => {
      if (bytesFetched > countedBytes) {
        bytes.add(bytesFetched - countedBytes, { store });
        countedBytes = bytesFetched;
      }
      for (const [level, count] of Object.entries(published)) {
        const more = count - (countedFiles[level] ?? 0);
        if (more > 0) files.add(more, { store, level });
        countedFiles[level] = count;
      }
    };
  };

  const countEnd = (activity: string, pullId: string, end: AttemptEnd): void => {
    if (end.kind === 'failed') {
      const { code, retryable, scope } = end.error;
      if (!end.isFinal) retries.add(1, { code });
      else if (activity === 'release' || activity === 'seal') pullsEnded.add(1, { code });
      else if (BLOCKABLE.has(activity) && retryable && scope !== 'file') {
        blocks.add(1, { code });
        blocked.block(pullId, code);
      }
      return;
    }
    if (end.kind === 'stopped') return;
    const { result } = end;
    if (activity === 'planPages') filesKept.add(numberIn(result, 'keptFiles'));
    if (activity.startsWith('fetch')) blocked.open(pullId);
    if (activity === 'seal' || activity === 'release') {
      blocked.open(pullId);
      const code = fieldIn(result, 'code');
      if (activity === 'seal' || code !== undefined) {
        pullsEnded.add(1, { code: typeof code === 'string' ? code : 'OK' });
      }
    }
  };

  return {
    watcher: ({ activity, pullId }, input): AttemptWatch => {
      inFlight.change(activity, 1);
      const count = countsOf();
      return {
        moved: count,
        ended: (end) => {
          inFlight.change(activity, -1);
          countEnd(activity, pullId, end);
          const code = fieldIn(fieldIn(input, 'failure'), 'code');
          if (activity === 'recordFailure' && end.kind === 'done' && typeof code === 'string') {
            filesFailed.add(numberIn(end.result, 'files'), { code });
          }
        },
      };
    },
    observe: (health) => {
      observed = health;
      look();
      timer ??= setInterval(look, LOOK_MS).unref();
    },
    look,
    close: () => clearInterval(timer),
  };
}
