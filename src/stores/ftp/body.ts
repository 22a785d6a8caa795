/** The bytes of a file on their way, held to what the server said of it. */
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { reasonOf } from '../lib/as-error.js';
import { LengthError } from '../lib/body-stream.js';
import { Trickle } from '../lib/trickle.js';
import type { StorePace } from '../store.js';
import { networkError, type FtpConnection } from './connection.js';
import { Refusal } from './replies.js';

/** Read in one go at most. */
const CHUNK_BYTES = 1024 * 1024;

/** How long a server may take to notice that a transfer was ended in its middle. */
const SETTLE_MS = 5_000;

/** What a body is made of. */
export interface BodySource {
  readonly connection: FtpConnection;
  readonly data: Socket;
  /** Undefined: to the end, wherever that is. */
  readonly lengthBytes: number | undefined;
  /** The file goes on after these bytes: the transfer is ended in its middle. */
  readonly isPart: boolean;
  readonly stallMs: number;
  readonly pace: StorePace | undefined;
  readonly signal: AbortSignal | undefined;
  /** Gives the connection back. */
  readonly release: () => void;
  /** Looks at the file once more; throws where it is another one by now. */
  readonly checkUnchanged: () => Promise<void>;
  readonly toError: (cause: unknown, receivedBytes: number) => Error;
}

/**
 * Ends well only where the server said that the transfer is complete, the bytes are as many as it announced, and the file is
 * still the same. Whoever destroys it earlier ends the connection.
 */
export class FtpBody extends Readable {
  private receivedBytes = 0;
  private wantsMore = false;
  private isHeld = false;
  private isFinishing = false;
  private isReleased = false;
  private readonly trickle: Trickle;
  private readonly onAbort = (): void => {
    this.destroy(reasonOf(this.source.signal));
  };

  constructor(private readonly source: BodySource) {
    super({ highWaterMark: CHUNK_BYTES });
    // It may fail before its reader listens; the reader finds the error all the same.
    this.on('error', () => undefined);
    const { data, signal, stallMs } = source;
    signal?.addEventListener('abort', this.onAbort, { once: true });
    this.trickle = new Trickle(stallMs);
    data.setTimeout(stallMs);
    data.on('timeout', () => this.onSilence());
    data.on('readable', () => this.pump());
    data.on('end', () => void this.finish());
    // Once all that is wanted is here, the answer of the server decides, not how its data connection ends.
    const broke = (error: Error): void => {
      if (!this.isFinishing) this.fail(error);
    };
    data.on('error', broke);
    const closed = (): void => {
      if (!data.readableEnded) broke(networkError('UND_ERR_SOCKET', 'the data broke off'));
    };
    data.on('close', closed);
    // A small file may have come, and its connection may be gone, before the server said that it begins.
    if (data.readableEnded) process.nextTick(() => void this.finish());
    else if (data.destroyed) process.nextTick(closed);
  }

  override _read(): void {
    if (!this.wantsMore) this.trickle.restart();
    this.wantsMore = true;
    this.pump();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const { connection, signal } = this.source;
    signal?.removeEventListener('abort', this.onAbort);
    if (!this.isReleased) connection.destroy(error ?? new Error('the rest is not wanted'));
    callback(error);
  }

  private pump(): void {
    const { data, pace } = this.source;
    while (this.wantsMore && !this.isHeld && !this.isFinishing && !this.destroyed) {
      const most = Math.min(CHUNK_BYTES, pace?.quantumBytes() ?? CHUNK_BYTES);
      const chunk = data.read(data.readableLength > most ? most : undefined) as Buffer | null;
      if (chunk === null) return;
      this.accept(chunk);
    }
  }

  private accept(chunk: Buffer): void {
    const { lengthBytes, isPart, pace } = this.source;
    const room = (lengthBytes ?? Infinity) - this.receivedBytes;
    if (chunk.length > room && !isPart) {
      this.receivedBytes += chunk.length;
      this.fail(new LengthError('more bytes than announced'));
      return;
    }
    const wanted = chunk.length > room ? chunk.subarray(0, room) : chunk;
    this.receivedBytes += wanted.length;
    this.wantsMore = this.push(wanted);
    if (isPart && this.receivedBytes === lengthBytes) {
      void this.finish();
      return;
    }
    const turn = pace?.afterBytes(wanted.length);
    if (turn === undefined) {
      const slow =
        this.receivedBytes === lengthBytes ? undefined : this.trickle.count(chunk.length);
      if (slow !== undefined) this.fail(slow);
      return;
    }
    this.isHeld = true;
    void turn.then(() => {
      this.isHeld = false;
      this.trickle.restart();
      this.pump();
    });
  }

  private async finish(): Promise<void> {
    if (this.isFinishing || this.destroyed) return;
    this.isFinishing = true;
    const { isPart, checkUnchanged } = this.source;
    try {
      if (isPart && this.receivedBytes === this.source.lengthBytes) await this.endEarly();
      else await this.endOfFile();
      this.isReleased = true;
      this.source.release();
      await checkUnchanged();
      this.push(null);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Whatever the server says of a transfer that we ended, it has to be heard before the next command. */
  private async endEarly(): Promise<void> {
    const { connection, data } = this.source;
    data.destroy();
    await connection.next(SETTLE_MS).catch((error: unknown) => connection.destroy(error as Error));
  }

  private async endOfFile(): Promise<void> {
    const { connection, lengthBytes, stallMs } = this.source;
    const reply = await connection.next(stallMs);
    if (reply.code >= 300) throw new Refusal(reply, 'RETR');
    if (lengthBytes !== undefined && this.receivedBytes < lengthBytes) {
      throw new LengthError('fewer bytes than announced');
    }
  }

  private onSilence(): void {
    const { data, stallMs } = this.source;
    if (this.isFinishing || this.destroyed) return;
    const isWaiting = this.wantsMore && !this.isHeld;
    if (isWaiting) this.fail(networkError('UND_ERR_BODY_TIMEOUT', 'silent'));
    else data.setTimeout(stallMs);
  }

  private fail(cause: unknown): void {
    if (!this.destroyed) this.destroy(this.source.toError(cause, this.receivedBytes));
  }
}
