/** One HTTP exchange on an undici dispatcher: the request, the head of its answer, and the body as a stream. */
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { reasonOf } from './as-error.js';
import { contentRangeOf } from './http-headers.js';
import type { ByteBody } from '../store.js';

/** Header names are in lower case; repeated headers are joined with `, `. */
export type Headers = Readonly<Record<string, string>>;

/** What is sent. */
export interface ExchangeRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body?: string | Uint8Array;
  readonly headersTimeoutMs?: number;
  readonly stallTimeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The connection of a HEAD is used again; undici would end it, for servers that send a body all the same. */
  readonly keepsConnection?: boolean;
}

/** What came back. The body must be read to its end or destroyed. */
export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ByteBody;
}

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

/**
 * Sends a request. Rejects with undici's error, or the signal's reason.
 * @param toError makes the error that the body's reader sees
 */
export function exchange(
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  toError: (failure: BodyFailure) => Error,
): Promise<ExchangeAnswer> {
  return new Promise((resolve, reject) => {
    const handler = new ExchangeHandler(request, toError, resolve, reject);
    const { url } = request;
    dispatcher.dispatch(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: { ...request.headers },
        body: request.body ?? null,
        ...(request.headersTimeoutMs === undefined
          ? {}
          : { headersTimeout: request.headersTimeoutMs }),
        ...(request.stallTimeoutMs === undefined ? {} : { bodyTimeout: request.stallTimeoutMs }),
        ...(request.keepsConnection === true ? { reset: false } : {}),
      },
      handler,
    );
  });
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined;
  private body: BodyStream | undefined;
  private isSettled = false;
  private readonly onAbort = (): void => this.fail(reasonOf(this.request.signal));

  constructor(
    private readonly request: ExchangeRequest,
    private readonly toError: (failure: BodyFailure) => Error,
    private readonly resolve: (answer: ExchangeAnswer) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    if (request.signal?.aborted) this.onAbort();
    else request.signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.isSettled) controller.abort(new Error('given up before it was sent'));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    raw: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200 || this.isSettled) return;
    const headers = flatten(raw);
    this.body = new BodyStream(
      controller,
      this.request.method === 'HEAD' ? undefined : announcedBytes(status, headers),
      this.toError,
      () => this.request.signal?.removeEventListener('abort', this.onAbort),
    );
    this.isSettled = true;
    this.resolve({ status, headers, body: this.body });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.body?.receive(chunk);
  }

  onResponseEnd(): void {
    this.body?.finish();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  private fail(error: Error): void {
    if (this.body) {
      this.body.fail(error, this.request.signal?.aborted === true);
      return;
    }
    this.request.signal?.removeEventListener('abort', this.onAbort);
    if (this.isSettled) return;
    this.isSettled = true;
    this.reject(error);
    this.controller?.abort(error);
  }
}

/** The body: counts what arrives, and frees the socket as soon as nobody wants the rest. */
class BodyStream extends Readable implements ByteBody {
  private receivedBytes = 0;
  private taker: ((chunk: Buffer) => void) | undefined;
  private isComplete = false;

  constructor(
    private readonly controller: Dispatcher.DispatchController,
    private readonly announcedBytes: number | undefined,
    private readonly toError: (failure: BodyFailure) => Error,
    private readonly onEnd: () => void,
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
    else if (!this.push(Buffer.from(chunk))) this.controller.pause();
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

  finish(): void {
    this.isComplete = true;
    this.onEnd();
    if (this.announcedBytes !== undefined && this.receivedBytes < this.announcedBytes) {
      this.fail(new LengthError('fewer bytes than announced'), false);
      return;
    }
    this.push(null);
  }

  fail(cause: Error, isAbort: boolean): void {
    const { receivedBytes, announcedBytes } = this;
    this.destroy(isAbort ? cause : this.toError({ cause, receivedBytes, announcedBytes }));
  }

  override _read(): void {
    this.controller.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.onEnd();
    if (!this.isComplete) this.controller.abort(error ?? new Error('the rest is not wanted'));
    callback(error);
  }
}

function announcedBytes(status: number, headers: Headers): number | undefined {
  if (status === 204 || status === 304) return undefined;
  const range = status === 206 ? contentRangeOf(headers) : undefined;
  if (range) return range.endBytes - range.startBytes;
  const length = headers['content-length'];
  return length !== undefined && /^\d+$/.test(length) ? Number(length) : undefined;
}

function flatten(raw: Record<string, string | string[] | undefined>): Headers {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw)) {
    if (value !== undefined)
      headers[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}
