/** Fetches whole files, several at a time, each hashed as it streams and flushed before the answer. */
import { fstatSync, openSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { samePin, type Digests, type Pin } from '../../model/object-entry.js';
import { toPlainError, WaybillError } from '../../model/errors.js';
import type { OpenObject, ReadOptions, Store, WholeObject } from '../../stores/store.js';
import { Cell } from './cell.js';
import { whileOpen } from './close-once.js';
import { consume } from './consume.js';
import { Crumbs } from './crumbs.js';
import { toDestinationError } from '../destination-error.js';
import { flushCounted, flusherOf, type Flush } from './flush.js';
import { isBrokenStream, isResumable } from './fetch-range.js';
import { DigestSet, digestSpecs, digestsOf } from './hashes.js';
import { LaneMemory } from './lane-memory.js';
import { setModifiedAt } from './modified-at.js';
import { observedOf } from './observed.js';
import { Pace } from './pace.js';
import { PositionedWriter, writeAt } from './positioned-writer.js';
import { stopSignalOf } from './stop-signal.js';
import type { FetchFilesTask, Observed, WholeFile, WholeFileOutcome } from './tasks.js';

/** What the lanes of a task share. */
interface Lanes {
  readonly task: FetchFilesTask;
  readonly store: Store;
  readonly cell: Cell;
  readonly flush: Flush;
  readonly turn: { sinceMs: number };
  readonly signal: AbortSignal;
}

/** Memory of lanes that have ended, kept for those that start when more connections are allowed. */
const SPARE_MEMORIES = 16;

/** Runs a FetchFilesTask: one outcome for each file, in order. Never rejects. */
export async function fetchFiles(task: FetchFilesTask, store: Store): Promise<WholeFileOutcome[]> {
  const cell = new Cell(task.cell);
  const stop = stopSignalOf(cell);
  const pace = new Pace(task.pace.memory);
  const flush = flusherOf(dirname(task.files[0]?.partialPath ?? '.'));
  const turn = { sinceMs: performance.now() };
  const shared: Lanes = { task, store, cell, flush, turn, signal: stop.signal };
  const outcomes: WholeFileOutcome[] = task.files.map(() => ({ kind: 'stopped' }));
  let next = 0;
  const fetchNext = async (memory: LaneMemory): Promise<void> => {
    const index = next;
    next += 1;
    const file = task.files[index];
    if (file === undefined) return;
    const outcome = await fetchIntoPartial(shared, file, memory);
    outcomes[index] = outcome;
    if (outcome.kind === 'fetched') cell.addFile();
    // What concerns the whole source or the whole disk would only repeat itself for every other file.
    if (outcome.kind === 'failed' && outcome.error.scope !== 'file') next = task.files.length;
  };
  const isOver = (): boolean => next >= task.files.length || cell.isStopped;
  const spare: LaneMemory[] = [];
  /** Fetches file after file over one of the pull's connections, which it has, and ends where none is left for it. */
  const lane = async (): Promise<void> => {
    const memory = spare.pop() ?? new LaneMemory();
    do await fetchNext(memory).finally(() => pace.giveConnection());
    while (!isOver() && pace.tryConnection());
    if (spare.length < SPARE_MEMORIES) spare.push(memory);
  };
  const most = Math.max(1, Math.min(task.concurrency, task.files.length));
  const lanes = new Set<Promise<void>>();
  let allHaveEnded = (): void => undefined;
  const end = new Promise<false>((resolve) => {
    allHaveEnded = (): void => resolve(false);
  });
  const startLane = (): void => {
    const started: Promise<void> = lane().finally(() => {
      lanes.delete(started);
      if (lanes.size === 0 && isOver()) allHaveEnded();
    });
    lanes.add(started);
  };
  // A file never waits for a lane without a connection, and nothing but this loop waits for one.
  try {
    while (await Promise.race([pace.takeConnection(cell, isOver), end])) {
      startLane();
      if (lanes.size >= most) await Promise.race(lanes);
    }
    await Promise.all(lanes);
  } finally {
    stop.end();
  }
  return outcomes;
}

async function fetchIntoPartial(
  lanes: Lanes,
  file: WholeFile,
  memory: LaneMemory,
): Promise<WholeFileOutcome> {
  let fd: number;
  try {
    fd = openSync(file.partialPath, 'wx', file.isExecutable === true ? 0o777 : 0o666);
  } catch (error) {
    return {
      kind: 'failed',
      error: toPlainError(toDestinationError(error, 'create', file.partialPath)),
    };
  }
  let outcome: WholeFileOutcome;
  try {
    outcome = await whileOpen(fd, file.partialPath, () => stream(lanes, file, fd, memory));
  } catch (error) {
    // Whatever a stop made of a call that waited is no failure.
    outcome = lanes.signal.aborted
      ? { kind: 'stopped' }
      : { kind: 'failed', error: toPlainError(error) };
  }
  if (outcome.kind !== 'fetched') unlinkQuietly(file.partialPath);
  return outcome;
}

/** A partial of no use goes; where even that fails, the failure that made it useless is what is told. */
function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    void error;
  }
}

/** Files of up to this size are read in one piece where the store can do that. */
const WHOLE_BYTES = 1_048_576;

/** So long a thread reads on before its timers and connections get their turn. */
const TURN_MS = 10;

/** Bodies of up to this size are waited for and come in one piece: so much memory each connection may take. */
const COLLECTED_BYTES = 262_144;

async function stream(
  lanes: Lanes,
  file: WholeFile,
  fd: number,
  memory: LaneMemory,
): Promise<WholeFileOutcome> {
  const { task, store, cell } = lanes;
  const whole = await readWhole(lanes, file, memory);
  if (whole !== undefined) {
    cell.addBytes(whole.bytes.length);
    return finishWhole(lanes, file, fd, whole.bytes, observedOf(whole));
  }
  // Bytes are counted as they come, and never twice.
  let countedBytes = 0;
  const onBytes = (count: number): void => {
    cell.addBytes(count);
    countedBytes += count;
  };
  const collect = { maxBytes: COLLECTED_BYTES, onBytes, memoryFor: memory.of };
  const pinned = file.pin === undefined ? {} : { pin: file.pin };
  let opened = await open(lanes, file, { collect, ...pinned });
  const observed = observedOf(opened);
  if (shouldBeRanges(task, store, observed)) {
    opened.body.destroy();
    return { kind: 'large', observed };
  }
  if (opened.bytes !== undefined) return finishWhole(lanes, file, fd, opened.bytes, observed);
  checkSize(file, observed.sizeBytes);
  const digests = await DigestSet.start(digestSpecs(file.digests, observed.digests));
  const writer = new PositionedWriter(fd, file.partialPath, 0);
  const pin = file.pin ?? observed.pin;
  let sizeBytes = 0;
  const crumbs = new Crumbs();
  const take = (chunk: Buffer): void => {
    sizeBytes += chunk.length;
    if (sizeBytes > countedBytes) onBytes(sizeBytes - countedBytes);
    digests.update(chunk);
    writer.push(chunk);
  };
  for (;;) {
    const openedAt = sizeBytes;
    try {
      const ended = await consume(opened.body, cell, take);
      if (ended === 'stopped') return { kind: 'stopped' };
      break;
    } catch (error) {
      if (pin === undefined || !isBrokenStream(error)) throw error;
      if (crumbs.areAll(sizeBytes - openedAt)) throw error;
      if (!isResumable(observed)) throw error;
      opened = await reopen(lanes, file, sizeBytes, pin, error);
    }
  }
  checkSize(file, sizeBytes, observed.sizeBytes);
  writer.flush();
  return finish(lanes, file, fd, { digests: digests.finish(), observed, sizeBytes });
}

/** Writes a file that is all there. */
async function finishWhole(
  lanes: Lanes,
  file: WholeFile,
  fd: number,
  bytes: Buffer,
  observed: Observed,
): Promise<WholeFileOutcome> {
  const sizeBytes = bytes.length;
  checkSize(file, sizeBytes, observed.sizeBytes);
  const digests = await digestsOf(digestSpecs(file.digests, observed.digests), bytes);
  writeAt(fd, file.partialPath, bytes, 0);
  return finish(lanes, file, fd, { digests, observed, sizeBytes });
}

/** All of a small file, where its store reads it at once. */
async function readWhole(
  lanes: Lanes,
  file: WholeFile,
  memory: LaneMemory,
): Promise<WholeObject | undefined> {
  const { store, turn } = lanes;
  if (store.readWhole === undefined || (file.sizeBytes ?? Infinity) > WHOLE_BYTES) return undefined;
  if (performance.now() - turn.sinceMs > TURN_MS) {
    await nextTurn();
    turn.sinceMs = performance.now();
  }
  const pin = file.pin === undefined ? {} : { pin: file.pin };
  return store.readWhole(file.sourcePath, { maxBytes: WHOLE_BYTES, memoryFor: memory.of, ...pin });
}

/** A file whose bytes the kernel has. */
interface Written {
  readonly digests: Digests & { readonly sha256: string };
  readonly observed: Observed;
  readonly sizeBytes: number;
}

/** Sets the time and flushes. */
async function finish(
  lanes: Lanes,
  file: WholeFile,
  fd: number,
  { digests, observed, sizeBytes }: Written,
): Promise<WholeFileOutcome> {
  try {
    await flushCounted(lanes.cell, sizeBytes, () => {
      // NFS flushes before it sets a time.
      setModifiedAt(fd, observed.modifiedAt ?? file.modifiedAt);
      return lanes.flush(fd);
    });
  } catch (error) {
    throw toDestinationError(error, 'flush', file.partialPath);
  }
  const { ino, mtimeNs } = fstatSync(fd, { bigint: true });
  const stamp = { inode: String(ino), mtimeNs: String(mtimeNs) };
  return { kind: 'fetched', sizeBytes, digests, observed, stamp };
}

/** A file whose size only the answer told, and that is worth parallel ranges. */
function shouldBeRanges(task: FetchFilesTask, store: Store, observed: Observed): boolean {
  return (
    observed.sizeBytes !== undefined &&
    observed.sizeBytes >= task.largeFromBytes &&
    observed.pin !== undefined &&
    store.capabilities.ranges !== 'no'
  );
}

function open(
  { store, cell, signal }: Lanes,
  file: WholeFile,
  options: ReadOptions,
): Promise<OpenObject> {
  return cell.awaiting(store.openRead(file.sourcePath, { signal, ...options }));
}

/** Opens a broken stream again where it broke; if that cannot be done, the first error is the one that counts. */
async function reopen(
  lanes: Lanes,
  file: WholeFile,
  offsetBytes: number,
  pin: Pin,
  broken: unknown,
): Promise<OpenObject> {
  const opened = await open(lanes, file, { offsetBytes, pin });
  if (opened.offsetBytes === offsetBytes && samePin(opened.pin, pin)) return opened;
  opened.body.destroy();
  throw broken;
}

/** A known size must match, whoever knew it (rule 11). */
function checkSize(file: WholeFile, ...actual: readonly (number | undefined)[]): void {
  const [known, announced] = actual;
  const expected = file.sizeBytes ?? announced;
  if (expected === undefined || known === undefined || known === expected) return;
  throw new WaybillError(
    'WB_SIZE_MISMATCH',
    `${file.sourcePath || 'the file'} should have ${expected} bytes, the source sent ${known}`,
    { operation: 'read', path: file.sourcePath },
  );
}
