/** The bytes of a file of a server: many reads under way at once, handed over in their order. */
import { Readable } from 'node:stream';
import { samePin, type Pin } from '../../model/object-entry.js';
import { WaybillError } from '../../model/errors.js';
import { asError, reasonOf } from '../lib/as-error.js';
import { Trickle } from '../lib/trickle.js';
import type { ByteBody, StorePace } from '../store.js';
import { pinOf } from './entry.js';
import { errorOfSession, sftpError, type SftpPlace } from './errors.js';
import type { Lease } from './pool.js';

/** What every server grants in one answer. */
const READ_BYTES = 32 * 1024;

/** Under way at once: what fits in the window of a channel. */
const AHEAD_BYTES = 64 * READ_BYTES;

/** A file, opened. */
export interface OpenFile {
  readonly lease: Lease;
  readonly handle: Buffer;
  readonly pin: Pin | undefined;
  readonly place: SftpPlace;
}

/** A read under way; its chunk is whole, or the rest is asked for. */
interface Slot {
  readonly lengthBytes: number;
  chunks: Buffer[] | undefined;
}

/** Reads `[offsetBytes, endBytes)`; before its end it checks that the file is still the pinned one, else WB_SOURCE_CHANGED. */
export class SftpBody extends Readable implements ByteBody {
  private readonly slots: Slot[] = [];
  private askedBytes: number;
  private takenBytes = 0;
  private aheadBytes = 0;
  private isWanted = false;
  /** Turns that have to come first. */
  private turns = 0;
  private isEnding = false;
  private isComplete = false;
  private taker: ((chunk: Buffer) => void) | undefined;
  private readonly trickle: Trickle;
  private readonly onAbort = (): void => {
    this.destroy(reasonOf(this.signal));
  };

  constructor(
    private readonly file: OpenFile,
    private readonly offsetBytes: number,
    private readonly endBytes: number,
    private readonly signal: AbortSignal | undefined,
    private readonly pace: StorePace | undefined,
  ) {
    super({ highWaterMark: AHEAD_BYTES / 2 });
    this.askedBytes = offsetBytes;
    this.trickle = new Trickle(file.lease.session.stallMs);
    // It may fail before its reader listens; the reader finds the error all the same.
    this.on('error', () => undefined);
    signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  pour(take: (chunk: Buffer) => void): void {
    for (;;) {
      const chunk = this.read() as Buffer | null;
      if (chunk === null) break;
      take(chunk);
    }
    if (this.destroyed) return;
    this.taker = take;
    this.resume();
  }

  override _read(): void {
    this.isWanted = true;
    this.ask();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.signal?.removeEventListener('abort', this.onAbort);
    const { lease, handle } = this.file;
    lease.session.close(handle);
    // Answers that nobody wants would keep the connection busy, or never come.
    lease.release(!this.isComplete);
    callback(error);
  }

  private ask(): void {
    const most = Math.min(AHEAD_BYTES, this.pace?.quantumBytes() ?? AHEAD_BYTES);
    while (this.isWanted && this.turns === 0 && !this.destroyed) {
      const lengthBytes = Math.min(READ_BYTES, most, this.endBytes - this.askedBytes);
      if (lengthBytes <= 0 || (this.aheadBytes > 0 && this.aheadBytes + lengthBytes > most)) break;
      if (this.slots.length === 0) this.trickle.restart();
      const slot: Slot = { lengthBytes, chunks: undefined };
      this.slots.push(slot);
      const at = this.askedBytes;
      this.askedBytes += lengthBytes;
      this.aheadBytes += lengthBytes;
      this.fill(slot, at).then(
        () => this.deliver(),
        (error: unknown) => this.fail(error),
      );
    }
    if (this.slots.length === 0 && this.askedBytes >= this.endBytes) this.finish();
  }

  /** A server may answer with fewer bytes than were asked for. */
  private async fill(slot: Slot, offsetBytes: number): Promise<void> {
    const { lease, handle, place } = this.file;
    const chunks: Buffer[] = [];
    let bytes = 0;
    while (bytes < slot.lengthBytes) {
      const wanted = slot.lengthBytes - bytes;
      const chunk = await lease.session.read(handle, offsetBytes + bytes, wanted);
      if (this.destroyed) return;
      if (chunk === undefined || chunk.length === 0) {
        await this.checkUnchanged();
        throw sftpError('WB_SIZE_MISMATCH', 'ended before its size', place);
      }
      if (chunk.length > wanted) {
        throw sftpError('WB_SIZE_MISMATCH', 'sends more bytes than were asked for', place);
      }
      chunks.push(chunk);
      bytes += chunk.length;
      const slow = this.trickle.count(chunk.length);
      if (slow !== undefined && bytes < slot.lengthBytes) {
        throw sftpError('WB_TIMEOUT', slow.message, place);
      }
    }
    slot.chunks = chunks;
  }

  private deliver(): void {
    for (let slot = this.slots[0]; slot?.chunks !== undefined; slot = this.slots[0]) {
      if (this.destroyed) return;
      this.slots.shift();
      this.aheadBytes -= slot.lengthBytes;
      for (const chunk of slot.chunks) this.hand(chunk);
    }
    if (!this.destroyed) this.ask();
  }

  private hand(chunk: Buffer): void {
    this.takenBytes += chunk.length;
    if (this.taker) this.taker(chunk);
    else if (!this.push(chunk)) this.isWanted = false;
    const turn = this.pace?.afterBytes(chunk.length);
    if (turn === undefined) return;
    this.turns += 1;
    void turn.then(() => {
      this.turns -= 1;
      this.ask();
    });
  }

  private finish(): void {
    if (this.isEnding || this.destroyed) return;
    this.isEnding = true;
    this.checkUnchanged().then(
      () => {
        this.isComplete = true;
        this.push(null);
      },
      (error: unknown) => this.fail(error),
    );
  }

  private async checkUnchanged(): Promise<void> {
    const { lease, handle, pin, place } = this.file;
    const now = pinOf(await lease.session.fstat(handle));
    if (pin === undefined || samePin(now, pin)) return;
    throw sftpError('WB_SOURCE_CHANGED', 'changed while it was read', place);
  }

  private fail(cause: unknown): void {
    if (this.destroyed) return;
    const { place } = this.file;
    const error = errorOfSession(cause, place);
    const isBroken =
      error instanceof WaybillError && ['WB_UNAVAILABLE', 'WB_TIMEOUT'].includes(error.code);
    if (!isBroken) {
      this.destroy(asError(error));
      return;
    }
    const of = this.endBytes - this.offsetBytes;
    const what = error.code === 'WB_TIMEOUT' ? 'fell silent' : 'broke off';
    const scope = error.code === 'WB_TIMEOUT' ? {} : { scope: 'file' as const };
    this.destroy(
      sftpError(error.code, `${what} after ${this.takenBytes} of ${of} bytes`, place, {
        cause,
        ...scope,
      }),
    );
  }
}
