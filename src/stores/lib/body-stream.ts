/** The body of an answer as a stream: counted, and ended when nobody wants the rest. */
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { ByteBody } from '../store.js';
import type { Trickle } from './trickle.js';

/** How a body failed, for `toError`. */
export interface BodyFailure {
  readonly cause: Error;
  readonly receivedBytes: number;
  readonly announcedBytes: number | undefined;
}

/** The body ended as its framing says, but with another number of bytes than its head announced. */
export class LengthError extends Error {
  override readonly name = 'LengthError';
}

/** What comes before its reader asks fits in: a socket that must be paused is slow. */
const BUFFER_BYTES = 1024 * 1024;

/** The body: counts what arrives, and frees the socket as soon as nobody wants the rest. */
export class BodyStream extends Readable implements ByteBody {
  private receivedBytes = 0;
  private taker: ((chunk: Buffer) => void) | undefined;
  private isComplete = false;
  private late: Error | undefined;
  private waitsForReader = false;

  constructor(
    private readonly controller: Dispatcher.DispatchController,
    private readonly announcedBytes: number | undefined,
    private readonly toError: (failure: BodyFailure) => Error,
    private readonly onEnd: () => void,
    private readonly trickle?: Trickle,
  ) {
    super({ highWaterMark: BUFFER_BYTES });
    // It may fail before its reader listens; the reader finds the error all the same, the process must not die of it.
    this.on('error', () => undefined);
  }

  receive(chunk: Buffer): void {
    if (this.destroyed) return;
    this.receivedBytes += chunk.length;
    if (this.announcedBytes !== undefined && this.receivedBytes > this.announcedBytes) {
      this.fail(new LengthError('more bytes than announced'), false);
      return;
    }
    if (this.taker) this.taker(chunk);
    // The memory of a chunk may be the socket's, for its next bytes.
    else if (!this.push(Buffer.from(chunk))) {
      this.waitsForReader = true;
      this.controller.pause();
    }
    if (this.receivedBytes === this.announcedBytes) return;
    const slow = this.trickle?.count(chunk.length);
    if (slow !== undefined) this.fail(slow, false);
  }

  pour(take: (chunk: Buffer) => void): void {
    for (;;) {
      const chunk = this.read() as Buffer | null;
      if (chunk === null) break;
      take(chunk);
    }
    if (this.destroyed || this.late !== undefined) return;
    this.taker = take;
    this.resume();
  }

  finish(): void {
    this.isComplete = true;
    this.onEnd();
    if (this.announcedBytes !== undefined && this.receivedBytes < this.announcedBytes) {
      this.fail(new LengthError('fewer bytes than announced'), false);
      return;
    }
    this.push(null);
  }

  /** The last bytes before the body failed; the failure comes behind them. */
  failAfter(chunk: Buffer, cause: Error): void {
    this.receivedBytes += chunk.length;
    this.late = cause;
    if (chunk.length > 0) this.push(chunk);
  }

  fail(cause: Error, isAbort: boolean): void {
    const { receivedBytes, announcedBytes } = this;
    this.destroy(isAbort ? cause : this.toError({ cause, receivedBytes, announcedBytes }));
  }

  override _read(): void {
    if (this.late !== undefined) return;
    if (this.waitsForReader) this.trickle?.restart();
    this.waitsForReader = false;
    this.controller.resume();
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    const { late } = this;
    // Behind the last bytes, for a reader drops what it has not yet taken when a stream fails.
    if (late !== undefined && this.readableLength === 0) {
      process.nextTick(() => this.fail(late, false));
    }
    return chunk;
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.onEnd();
    if (!this.isComplete) this.controller.abort(error ?? new Error('the rest is not wanted'));
    callback(error);
  }
}
