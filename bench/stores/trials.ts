/** What is done with each store, and what is seen, in a few words for a cell of the table. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LEVELS } from '../../src/model/level.js';
import { readServiceRecord } from '../../src/service/service-record.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { readSidecar } from '../../src/transfer/sidecar.js';
import type { RunningWaybill, WaybillBed } from '../../test/helpers/waybill.js';
import { AWKWARD_NAMES } from '../../test/stores/conformance/tree.js';
import type { Served } from './served.js';

const MiB = 1024 * 1024;
/** Several parts of 16 MiB: some are on disk while another is on its way. */
const MODEL_BYTES = 64 * MiB;
/** One part after another: what is replaced half-way is asked for again. */
const SLOWLY = ['--max-bandwidth', '8MiB/s', '--concurrency', '1'];
/** More than a part of 16 MiB: it would be recorded by now. */
const UNRECORDED_MB = 24;
const PATIENCE_MS = 120_000;
/** A weak pin that is younger cannot be told from the next one (rule 12), and parts of it are not kept. */
const SETTLED_AFTER_MS = 3_000;

/** A tree of every awkward name that the server can hold: how many came, byte for byte. */
export async function awkwardTree(served: Served, bed: WaybillBed): Promise<string> {
  const names = AWKWARD_NAMES.map(([, name]) => name).filter(served.canHold ?? (() => true));
  for (const name of names) await served.put(`names/${name}`, Buffer.from(`named ${name}`));
  const to = join(bed.dir, 'names');
  const { exitCode, stderr } = await pull(served, bed, 'names/', to);
  // The path guard refuses a few names, and says so (rule 21).
  const refused = stderr.match(/^ {2}.*the name ".*" is refused: /gmu)?.length ?? 0;
  if (exitCode !== (refused === 0 ? 0 : 3)) return failed(exitCode, stderr);
  const right = names.filter((name) => read(join(to, name))?.toString() === `named ${name}`);
  if (right.length + refused < names.length) {
    process.stderr.write(stderr);
    return `**${right.length} of ${names.length}**`;
  }
  return `${right.length}${refused === 0 ? '' : `, ${refused} refused`}`;
}

/** Half-way `kill -9` of the command, the service, Temporal and the worker; then the same command again. */
export async function killedHalfWay(served: Served, bed: WaybillBed): Promise<string> {
  const model = randomBytes(MODEL_BYTES);
  await served.put('killed/model.bin', model);
  await sleep(SETTLED_AFTER_MS);
  const to = join(bed.dir, 'killed');
  const running = startPull(served, bed, 'killed/', to, SLOWLY);
  if (!(await untilHalfWay(to, running))) return endedEarly(running);
  const { stateDir } = bed;
  const record = readServiceRecord(serviceFiles(stateDir).record);
  for (const process of [record?.service, record?.worker, record?.temporal]) {
    if (process !== undefined) killNow(process.pid);
  }
  running.signal('SIGKILL');
  await running.done;
  const kept = recordedBytes(to);
  const { exitCode, stderr } = await pull(served, bed, 'killed/', to);
  if (exitCode !== 0) return failed(exitCode, stderr);
  const isRight = read(join(to, 'model.bin'))?.equals(model) === true;
  return isRight ? `yes, ${Math.round(kept / MiB)} MiB kept` : '**other bytes**';
}

/** The object is replaced half-way by another of the same size. */
export async function replacedHalfWay(served: Served, bed: WaybillBed): Promise<string> {
  const [before, after] = [randomBytes(MODEL_BYTES), randomBytes(MODEL_BYTES)];
  await served.put('replaced/model.bin', before);
  await sleep(SETTLED_AFTER_MS);
  const to = join(bed.dir, 'replaced');
  const running = startPull(served, bed, 'replaced/', to, SLOWLY);
  if (!(await untilHalfWay(to, running))) return endedEarly(running);
  await served.put('replaced/model.bin', after);
  await bed.run(['tune', to, '--max-bandwidth', 'never']);
  const { exitCode } = await running.done;
  const file = read(join(to, 'model.bin'));
  if (file === undefined) return exitCode === 0 ? '**exit 0 without a file**' : `exit ${exitCode}`;
  if (file.equals(after)) return `the new one, exit ${exitCode}`;
  return file.equals(before) ? `the old one, exit ${exitCode}` : '**a mixture**';
}

/** The best level that a file of these pulls has reached. */
export function bestLevel(bed: WaybillBed): string {
  const reached = ['names', 'killed'].flatMap((name) => {
    const text = read(join(bed.dir, name, '.waybill', 'receipt.json'))?.toString() ?? '{}';
    const { levels = {} } = JSON.parse(text) as { levels?: Record<string, number> };
    return Object.keys(levels).filter((level) => (levels[level] ?? 0) > 0);
  });
  return LEVELS.findLast((level) => reached.includes(level)) ?? '**none**';
}

async function pull(served: Served, bed: WaybillBed, path: string, to: string) {
  return startPull(served, bed, path, to, []).done;
}

function startPull(
  { uri, env }: Served,
  bed: WaybillBed,
  path: string,
  to: string,
  more: readonly string[],
): RunningWaybill {
  return bed.start(['pull', uri(path), `${to}/`, ...more], { env });
}

/** Parts are on disk, or so much has come that the store is one that lets none be kept. False: the pull ended first. */
async function untilHalfWay(to: string, running: RunningWaybill): Promise<boolean> {
  let isOver = false;
  void running.done.finally(() => (isOver = true));
  const endMs = performance.now() + PATIENCE_MS;
  while (recordedBytes(to) < MODEL_BYTES / 4) {
    if (isOver) return false;
    if (recordedBytes(to) === 0 && shownMegabytes(running) >= UNRECORDED_MB) return true;
    if (performance.now() > endMs) throw new Error(`nothing came:\n${running.stderr()}`);
    await sleep(20);
  }
  return true;
}

/** What the last line of progress says. */
function shownMegabytes(running: RunningWaybill): number {
  const shown = running.stderr().match(/(?<=fetching: )\d+(?= MB of )/gu) ?? [];
  return Number(shown.at(-1) ?? 0);
}

/** Bytes of partial files that are recorded with their digests. */
function recordedBytes(to: string): number {
  const folder = join(to, '.waybill', 'partial');
  if (!existsSync(folder)) return 0;
  const sidecars = readdirSync(folder).filter((name) => name.endsWith('.parts'));
  return sidecars
    .flatMap((name) => readSidecar(join(folder, name)).extents)
    .reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended with another one.
  }
}

function read(path: string): Buffer | undefined {
  return existsSync(path) ? readFileSync(path) : undefined;
}

/** The whole story goes to whoever watches, the exit code into the table. */
function failed(exitCode: number, stderr: string): string {
  process.stderr.write(stderr);
  return `**exit ${exitCode}**`;
}

async function endedEarly(running: RunningWaybill): Promise<string> {
  const { exitCode, stderr } = await running.done;
  return `${failed(exitCode, stderr)} before anything was done to it`;
}
