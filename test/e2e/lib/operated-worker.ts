/** `waybill worker` as an orchestrator runs it: with its probes, its metrics and a log in JSON. */
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../helpers/ports.js';
import { startWaybill, type RunOptions, type RunningWaybill } from '../../helpers/waybill.js';

export interface OperatedWorker {
  readonly running: RunningWaybill;
  /** The metrics, by `name{labels}` as they are written. */
  scrape(): Promise<ReadonlyMap<string, number>>;
  scrapeText(): Promise<string>;
  /** What `/readyz` answers: `ready`, `draining`, ... */
  readiness(): Promise<string>;
  untilReadiness(wanted: string): Promise<void>;
  /** The status of a probe. */
  probe(path: string): Promise<number>;
  /** Every line of its log, parsed; one that is no JSON fails. */
  log(): readonly Readonly<Record<string, unknown>>[];
}

export async function startOperatedWorker(
  args: readonly string[],
  options: RunOptions,
): Promise<OperatedWorker> {
  const [metrics, health] = [await freePort(), await freePort()];
  const binds = ['--metrics-bind', `localhost:${metrics}`, '--health-bind', `127.0.0.1:${health}`];
  const command = ['worker', ...binds, '--log-format', 'json', ...args];
  const running = startWaybill(command, { timeoutMs: 600_000, ...options });
  const ask = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${health}${path}`);
  const readiness = async (): Promise<string> =>
    ((await (await ask('/readyz')).json()) as { status: string }).status;
  const scrapeText = async (): Promise<string> =>
    (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
  return {
    running,
    readiness,
    scrapeText,
    probe: async (path) => (await ask(path)).status,
    scrape: async () => valuesOf(await scrapeText()),
    untilReadiness: async (wanted) => {
      let seen = '';
      for (let tries = 0; tries < 3_600; tries += 1) {
        seen = await readiness().catch(String);
        if (seen === wanted) return;
        await sleep(50);
      }
      throw new Error(`${wanted} never came, but ${seen}:\n${running.stderr()}`);
    },
    log: () =>
      running
        .stderr()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

function valuesOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line): [string, number] => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

/** Asks until the answer is the wanted one. */
export async function untilIs<T>(what: string, ask: () => Promise<T>, wanted: T): Promise<void> {
  let seen: T | undefined;
  for (let tries = 0; tries < 3_600; tries += 1) {
    seen = await ask();
    if (seen === wanted) return;
    await sleep(50);
  }
  throw new Error(`${what} is ${String(seen)}, not ${String(wanted)}`);
}
