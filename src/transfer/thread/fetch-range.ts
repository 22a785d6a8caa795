/** Fetches a range of an object into its partial, in parts that survive a kill. */
import { openSync } from 'node:fs';
import { toPlainError, WaybillError, asWaybillError } from '../../model/errors.js';
import type { OpenObject, Store } from '../../stores/store.js';
import { Cell } from './cell.js';
import { closeQuietly } from './close-once.js';
import { consume } from './consume.js';
import { Crumbs } from './crumbs.js';
import { toDestinationError } from '../destination-error.js';
import { Pace } from './pace.js';
import { PartMac } from './part-mac.js';
import { PositionedWriter } from './positioned-writer.js';
import { ExtentLog } from './append-extent.js';
import { observedOf } from './observed.js';
import { stopSignalOf } from './stop-signal.js';
import type { FetchRangeOutcome, FetchRangeTask, Observed } from './tasks.js';

/** A weak pin cannot tell two versions of the same two seconds apart, by the service's own clock (rule 12). */
const WEAK_PIN_MS = 2_000;

/** Whether what is fetched now may be continued later: never after a young weak pin. */
export function isResumable(observed: Observed): boolean {
  if (observed.pin === undefined) return false;
  if (observed.pin.strength === 'strong') return true;
  const modifiedMs = Date.parse(observed.modifiedAt ?? '');
  const answeredMs = Date.parse(observed.answeredAt ?? '');
  return answeredMs - modifiedMs >= WEAK_PIN_MS;
}

/** Whether a broken stream may be opened again at its offset: only a passing fault of the network. */
export function isBrokenStream(error: unknown): boolean {
  const known = asWaybillError(error);
  return known.retryable && known.code !== 'WB_RATE_LIMITED' && known.scope !== 'destination';
}

/** Writes bytes in parts: each is recorded with its digest once the kernel has it. */
class PartWriter {
  private hash = new PartMac();
  private partStart: number;
  private readonly writer: PositionedWriter;
  private readonly log: ExtentLog;
  /** False: parts are hashed for nobody, and a kill means from the start again. */
  isRecording = true;

  constructor(
    fd: number,
    private readonly task: FetchRangeTask,
    private readonly cell: Cell,
    public positionBytes: number,
  ) {
    this.partStart = positionBytes;
    this.writer = new PositionedWriter(fd, task.partialPath, positionBytes);
    this.log = new ExtentLog(task.sidecarPath);
  }

  push(chunk: Buffer): void {
    this.cell.addBytes(chunk.length);
    let rest = chunk;
    while (rest.length > 0) {
      const untilBoundary = this.task.recordBytes - (this.positionBytes % this.task.recordBytes);
      const piece = rest.subarray(0, untilBoundary);
      this.hash.update(piece);
      this.writer.push(piece);
      this.positionBytes += piece.length;
      if (piece.length === untilBoundary) this.record();
      rest = rest.subarray(piece.length);
    }
  }

  /** Ends the part at hand, whatever its length, and records it. */
  record(): void {
    const lengthBytes = this.positionBytes - this.partStart;
    if (lengthBytes === 0) return;
    this.writer.flush();
    const mac = this.hash.digest();
    try {
      if (this.isRecording) this.log.append({ offsetBytes: this.partStart, lengthBytes, mac });
    } catch (error) {
      throw toDestinationError(error, 'record a part', this.task.sidecarPath);
    }
    if (this.task.movesFrontier) this.cell.frontier = this.positionBytes;
    this.hash = new PartMac();
    this.partStart = this.positionBytes;
  }

  close(): void {
    this.log.close();
  }
}

/** Runs a FetchRangeTask. Never rejects: what was recorded counts although the rest failed. */
export async function fetchRange(task: FetchRangeTask, store: Store): Promise<FetchRangeOutcome> {
  const cell = new Cell(task.cell);
  const pace = new Pace(task.pace.memory);
  if (!(await pace.takeConnection(cell))) return { kind: 'stopped', lengthBytes: 0 };
  const stop = stopSignalOf(cell);
  try {
    return await fetchInto({ task, store, cell, pace, signal: stop.signal });
  } finally {
    stop.end();
    pace.giveConnection();
  }
}

/** One range at work. */
interface RangeWork {
  readonly task: FetchRangeTask;
  readonly store: Store;
  readonly cell: Cell;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

async function fetchInto(work: RangeWork): Promise<FetchRangeOutcome> {
  const { task, cell } = work;
  const end = task.offsetBytes + task.lengthBytes;
  let fd: number;
  try {
    fd = openSync(task.partialPath, 'r+');
  } catch (error) {
    return {
      kind: 'failed',
      lengthBytes: 0,
      error: toPlainError(toDestinationError(error, 'open', task.partialPath)),
    };
  }
  const parts = new PartWriter(fd, task, cell, task.offsetBytes);
  let observed: Observed | undefined;
  let isOpening = false;
  const crumbs = new Crumbs();
  const answer = (): { lengthBytes: number } => ({
    lengthBytes: parts.positionBytes - task.offsetBytes,
  });
  try {
    while (parts.positionBytes < end) {
      const openedAt = parts.positionBytes;
      try {
        isOpening = true;
        const opened = await openAt(work, openedAt, end - openedAt);
        isOpening = false;
        observed ??= observedOf(opened);
        parts.isRecording = isResumable(observed);
        const take = (chunk: Buffer): void => {
          const left = end - parts.positionBytes;
          if (left > 0) parts.push(chunk.length > left ? chunk.subarray(0, left) : chunk);
        };
        const ended = await consume(opened.body, cell, take);
        if (ended === 'stopped') {
          parts.record();
          return { kind: 'stopped', ...answer() };
        }
        if (parts.positionBytes < end) throw cutShort(task, parts.positionBytes, end);
      } catch (error) {
        // A stream that moved is opened again where it broke; one that did not is Temporal's to retry.
        if (!isBrokenStream(error) || crumbs.areAll(parts.positionBytes - openedAt)) throw error;
        if (observed === undefined || !isResumable(observed)) throw error;
      }
    }
    parts.record();
    return { kind: 'fetched', ...answer(), ...(observed === undefined ? {} : { observed }) };
  } catch (error) {
    // What a disk did not take is no part of a file.
    if (asWaybillError(error).scope !== 'destination') {
      recordWhatCame(parts);
      // Whatever a stop made of a call that waited is no failure.
      if (work.signal.aborted) return { kind: 'stopped', ...answer() };
    }
    const isRangeRefused = isOpening && asWaybillError(error).code === 'WB_SIZE_MISMATCH';
    return {
      kind: 'failed',
      ...answer(),
      error: toPlainError(error),
      ...(isRangeRefused ? { isRangeRefused } : {}),
    };
  } finally {
    parts.close();
    // Whether the bytes reach the disk is what the flush of the whole file tells.
    closeQuietly(fd);
  }
}

/** Keeps the part at hand after a failure; the failure itself is what is reported. */
function recordWhatCame(parts: PartWriter): void {
  try {
    parts.record();
  } catch (error) {
    // The disk that refuses this record is either the failure being reported or the next one that shows.
    void error;
  }
}

async function openAt(
  { store, task, cell, signal }: RangeWork,
  offsetBytes: number,
  lengthBytes: number,
): Promise<OpenObject> {
  const answer = store.openRead(task.sourcePath, {
    offsetBytes,
    lengthBytes,
    signal,
    ...(task.pin === undefined ? {} : { pin: task.pin }),
  });
  const opened = await cell.awaiting(answer);
  if (opened.offsetBytes !== offsetBytes) {
    opened.body.destroy();
    throw new WaybillError('WB_UNSUPPORTED', 'the source ignores ranges', {
      operation: 'openRead',
      path: task.sourcePath,
      scope: 'file',
    });
  }
  if (opened.sizeBytes !== undefined && opened.sizeBytes !== task.sizeBytes) {
    opened.body.destroy();
    throw new WaybillError(
      'WB_SOURCE_CHANGED',
      `${task.sourcePath || 'the file'} had ${task.sizeBytes} bytes when it was planned and has ${opened.sizeBytes} now`,
      { operation: 'openRead', path: task.sourcePath },
    );
  }
  return opened;
}

function cutShort(task: FetchRangeTask, atBytes: number, endBytes: number): WaybillError {
  return new WaybillError(
    'WB_SIZE_MISMATCH',
    `the source ended ${task.sourcePath || 'the file'} at byte ${atBytes}, before byte ${endBytes}`,
    { operation: 'read', path: task.sourcePath },
  );
}
