/** A small body in one piece: no stream, no copy of each chunk, no promise but the one of the answer. */
import { Readable } from 'node:stream';
import type { ByteBody, Collect } from '../store.js';
import { LengthError } from './body-stream.js';
import type { ExchangeAnswer } from './exchange.js';
import type { Trickle } from './trickle.js';

/** Takes the chunks of a body whose length was announced. */
export class Collected {
  private readonly bytes: Buffer;
  private filled = 0;

  constructor(
    readonly announcedBytes: number,
    private readonly collect: Collect | undefined,
    private readonly trickle?: Trickle,
  ) {
    this.bytes = collect?.memoryFor?.(announcedBytes) ?? Buffer.allocUnsafe(announcedBytes);
  }

  /** An error: they are more than announced, or come hardly at all. */
  take(chunk: Buffer): Error | undefined {
    if (this.filled + chunk.length > this.announcedBytes) {
      return new LengthError('more bytes than announced');
    }
    this.bytes.set(chunk, this.filled);
    this.filled += chunk.length;
    this.collect?.onBytes?.(chunk.length);
    return this.isWhole ? undefined : this.trickle?.count(chunk.length);
  }

  get isWhole(): boolean {
    return this.filled === this.announcedBytes;
  }

  get received(): Buffer {
    return this.bytes.subarray(0, this.filled);
  }

  answer(head: Pick<ExchangeAnswer, 'status' | 'headers'>): ExchangeAnswer {
    return new CollectedAnswer(head.status, head.headers, this.bytes);
  }
}

class CollectedAnswer implements ExchangeAnswer {
  constructor(
    readonly status: number,
    readonly headers: ExchangeAnswer['headers'],
    readonly bytes: Buffer,
  ) {}

  /** For who asks all the same; a stream costs as much as all the rest of a small file. */
  get body(): ByteBody {
    return Readable.from([this.bytes], { objectMode: false });
  }
}
