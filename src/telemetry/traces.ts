/**
 * Spans of what a worker does, sent to a collector as OTLP over HTTP in JSON: one for each attempt at an activity. All of
 * one run of a pull share a trace, whichever workers they ran on: its ids are derived, so nothing has to travel along.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { AttemptEnd, AttemptFacts, AttemptWatcher } from '../activities/watch.js';
import type { UnitProgress } from '../transfer/api.js';

/** Where spans go, as OpenTelemetry's own variables say it. */
export interface TraceTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
}

/** What is sent of a worker's attempts. */
export interface Traces {
  readonly watcher: AttemptWatcher;
  /** Sends what is left; waits for a few seconds at most. */
  close(): Promise<void>;
}

/** How often spans are sent, how many at once, and how many wait for a collector that is away. */
const SEND_EVERY_MS = 5_000;
const BATCH = 512;
const MOST_WAITING = 4_096;
const ANSWER_MS = 5_000;

type Attribute = { readonly key: string; readonly value: { readonly stringValue: string } };
type Span = Readonly<Record<string, unknown>>;

/** Reads OpenTelemetry's variables; undefined where no collector is named or tracing is turned off. */
export function traceTargetOf(
  variables: Readonly<Record<string, string>>,
): TraceTarget | undefined {
  const base = variables['OTEL_EXPORTER_OTLP_ENDPOINT']?.replace(/\/+$/u, '');
  const url =
    variables['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'] ??
    (base === undefined ? undefined : `${base}/v1/traces`);
  const isOff =
    variables['OTEL_SDK_DISABLED']?.toLowerCase() === 'true' ||
    variables['OTEL_TRACES_EXPORTER'] === 'none';
  if (url === undefined || isOff) return undefined;
  const pairs = (variables['OTEL_EXPORTER_OTLP_HEADERS'] ?? '').split(',').flatMap((pair) => {
    const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/u.exec(pair) ?? [];
    return name === undefined || value === undefined ? [] : [[name, decoded(value)] as const];
  });
  const serviceName = variables['OTEL_SERVICE_NAME'] ?? 'waybill-worker';
  return { url, headers: Object.fromEntries(pairs), serviceName };
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

const attribute = (key: string, value: string | number): Attribute => ({
  key,
  value: { stringValue: String(value) },
});

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
const nanoseconds = (ms: number): string => String(BigInt(Math.round(ms * 1_000)) * 1_000n);

/** Spans for one target; nothing that goes wrong here is more than a line of the log. */
export function createTraces(
  target: TraceTarget,
  version: string,
  warn: (reason: string) => void,
): Traces {
  let waiting: Span[] = [];
  let isFailing = false;
  let sending: Promise<void> = Promise.resolve();

  const send = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH);
      try {
        await post(target, version, batch);
        waiting = waiting.slice(batch.length);
        isFailing = false;
      } catch (error) {
        if (!isFailing) warn(error instanceof Error ? error.message : String(error));
        isFailing = true;
        return;
      }
    }
  };
  const timer = setInterval(() => {
    sending = sending.then(send);
  }, SEND_EVERY_MS).unref();

  return {
    watcher: (facts) => {
      const startedMs = Date.now();
      const from = performance.now();
      let last: UnitProgress | undefined;
      return {
        moved: (progress) => {
          last = progress;
        },
        ended: (end) => {
          const endedMs = startedMs + performance.now() - from;
          if (waiting.length < MOST_WAITING)
            waiting.push(spanOf(facts, end, last, startedMs, endedMs));
        },
      };
    },
    close: async () => {
      clearInterval(timer);
      await sending;
      await send();
    },
  };
}

async function post(
  { url, headers, serviceName }: TraceTarget,
  version: string,
  spans: readonly Span[],
): Promise<void> {
  const resource = {
    attributes: [attribute('service.name', serviceName), attribute('service.version', version)],
  };
  const scopeSpans = [{ scope: { name: 'waybill', version }, spans }];
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ resourceSpans: [{ resource, scopeSpans }] }),
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`the collector answers ${response.status}`);
}

/** The first attempt to resolve is the root of the trace: its id is known to whoever knows the run. */
function spanOf(
  { pullId, runId, activity, attempt }: AttemptFacts,
  end: AttemptEnd,
  progress: UnitProgress | undefined,
  startedMs: number,
  endedMs: number,
): Span {
  const run = digest(`${pullId} ${runId}`);
  const rootId = run.slice(32, 48);
  const isRoot = activity === 'resolve' && attempt === 1;
  const published = Object.values(progress?.published ?? {}).reduce((sum, count) => sum + count, 0);
  const failed = end.kind === 'failed' ? [attribute('waybill.code', end.error.code)] : [];
  const store = progress?.store === undefined ? [] : [attribute('waybill.store', progress.store)];
  return {
    traceId: run.slice(0, 32),
    spanId: isRoot ? rootId : randomBytes(8).toString('hex'),
    ...(isRoot ? {} : { parentSpanId: rootId }),
    name: activity,
    // An internal operation, in OTLP's numbers; and a status of OK or ERROR.
    kind: 1,
    startTimeUnixNano: nanoseconds(startedMs),
    endTimeUnixNano: nanoseconds(endedMs),
    attributes: [
      attribute('waybill.pull_id', pullId),
      attribute('waybill.run_id', runId),
      attribute('waybill.attempt', attempt),
      attribute('waybill.end', end.kind),
      attribute('waybill.bytes', progress?.bytesFetched ?? 0),
      attribute('waybill.files', published),
      ...store,
      ...failed,
    ],
    status: { code: end.kind === 'failed' ? 2 : end.kind === 'done' ? 1 : 0 },
  };
}
