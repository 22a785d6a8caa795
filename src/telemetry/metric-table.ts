/**
 * Every metric of Waybill's own, as a scrape has it. Labels come from small fixed sets: never a path, a host, a name of a
 * bucket or a secret. docs/operations.md lists the same; a test holds the two together.
 */

/** One metric. */
export interface MetricRow {
  /** The name in a scrape; counters end in `_total`. */
  readonly name: `waybill_${string}`;
  readonly kind: 'counter' | 'gauge';
  readonly labels: readonly string[];
  readonly summary: string;
}

const counter = (
  name: MetricRow['name'],
  labels: readonly string[],
  summary: string,
): MetricRow => ({ name, kind: 'counter', labels, summary });

const gauge = (name: MetricRow['name'], labels: readonly string[], summary: string): MetricRow => ({
  name,
  kind: 'gauge',
  labels,
  summary,
});

/** By the key that the code uses. */
export const METRICS = {
  bytes: counter('waybill_bytes_total', ['store'], 'Bytes that came from sources.'),
  files: counter(
    'waybill_files_total',
    ['store', 'level'],
    'Files put in place, by how well each is proven.',
  ),
  filesKept: counter('waybill_files_kept_total', [], 'Files found in place while planning.'),
  filesFailed: counter('waybill_files_failed_total', ['code'], 'Files given up, by error code.'),
  retries: counter(
    'waybill_retries_total',
    ['code'],
    'Attempts that failed and are made again by Temporal, by error code.',
  ),
  blocks: counter(
    'waybill_blocks_total',
    ['code'],
    'Failures that stop all lanes of a pull until a probe succeeds, by error code.',
  ),
  pullsEnded: counter(
    'waybill_pulls_ended_total',
    ['code'],
    'Pulls sealed or released here, by error code; OK where all is well.',
  ),
  pullsBlocked: gauge(
    'waybill_pulls_blocked',
    ['code'],
    'Claimed pulls whose last attempt here was stopped by what concerns more than a file.',
  ),
  inFlight: gauge('waybill_units_in_flight', ['activity'], 'Activities that run now.'),
  ready: gauge(
    'waybill_worker_ready',
    [],
    '1 while the worker asks for work and Temporal answers, else 0.',
  ),
  silent: gauge(
    'waybill_temporal_silent_seconds',
    [],
    'Seconds since Temporal last answered; asked every 5.',
  ),
  memory: gauge('waybill_resident_memory_bytes', [], 'Memory of the worker that is resident.'),
  build: gauge('waybill_build_info', ['version'], '1; the label is the version.'),
} as const satisfies Record<string, MetricRow>;
