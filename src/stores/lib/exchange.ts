/** One HTTP exchange on an undici dispatcher: the request, the head of its answer, and the body as a stream. */
import { errors, type Dispatcher } from 'undici';
import type { ByteBody, Collect } from '../store.js';
import { reasonOf } from './as-error.js';
import { BodyStream, LengthError, type BodyFailure } from './body-stream.js';
import { Collected } from './collected.js';
import { contentRangeOf } from './http-headers.js';
import { Trickle } from './trickle.js';

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
  /** We ourselves take bytes slowly: that few come is not the server's doing. */
  readonly isThrottled?: boolean;
  readonly signal?: AbortSignal;
  /** The connection of a HEAD is used again; undici would end it, for servers that send a body all the same. */
  readonly keepsConnection?: boolean;
  /** A small body of a success is waited for and handed over in one piece. */
  readonly collect?: Collect;
}

/** What came back. The body must be read to its end or destroyed. */
export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ByteBody;
  /** All of the body, where it was collected. */
  readonly bytes?: Buffer;
}

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
        headers: request.headers,
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
  /** Its memory may be somebody else's as soon as the answer is there, or is given up. */
  private collected: Collected | undefined;
  private head: { readonly status: number; readonly headers: Headers } | undefined;
  private isSettled = false;
  private startedMs = 0;
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
    this.startedMs = performance.now();
    if (this.isSettled) controller.abort(new Error('given up before it was sent'));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    raw: Record<string, string | string[] | undefined>,
  ): void {
    if (this.isSettled) return;
    if (status < 200) {
      this.beforeHead();
      return;
    }
    this.controller = controller;
    const headers = flatten(raw);
    this.head = { status, headers };
    const { method, collect } = this.request;
    const announced = method === 'HEAD' ? undefined : announcedBytes(status, headers);
    const isCollected = announced !== undefined && (status === 200 || status === 206);
    if (isCollected && announced <= (collect?.maxBytes ?? -1)) {
      this.collected = new Collected(announced, collect, this.trickle());
    } else this.stream(announced);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.collected === undefined) {
      this.body?.receive(chunk);
      return;
    }
    const wrong = this.collected.take(chunk);
    if (wrong !== undefined) this.fail(wrong);
  }

  onResponseEnd(): void {
    const { collected, head } = this;
    if (collected === undefined || head === undefined) {
      this.body?.finish();
      return;
    }
    if (!collected.isWhole) {
      this.fail(new LengthError('fewer bytes than announced'));
      return;
    }
    this.settle();
    this.collected = undefined;
    this.resolve(collected.answer(head));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  /** Hands the answer over with a body that goes on to come. */
  private stream(announcedBytes: number | undefined): BodyStream | undefined {
    const { controller, head } = this;
    if (controller === undefined || head === undefined) return undefined;
    const onEnd = (): void => this.unlisten();
    this.body = new BodyStream(controller, announcedBytes, this.toError, onEnd, this.trickle());
    this.isSettled = true;
    this.resolve({ ...head, body: this.body });
    return this.body;
  }

  private trickle(): Trickle | undefined {
    const { stallTimeoutMs, isThrottled } = this.request;
    const isWatched = stallTimeoutMs !== undefined && isThrottled !== true;
    return isWatched ? new Trickle(stallTimeoutMs) : undefined;
  }

  /** With each answer that is not yet one (`103 Early Hints`) undici waits anew for the head; a server may send them for ever. */
  private beforeHead(): void {
    const { headersTimeoutMs = Infinity } = this.request;
    const isLate = performance.now() - this.startedMs > headersTimeoutMs;
    if (isLate) this.fail(new errors.HeadersTimeoutError());
  }

  private fail(error: Error): void {
    const isAbort = this.request.signal?.aborted === true;
    if (this.body) {
      this.body.fail(error, isAbort);
      return;
    }
    if (this.isSettled) return;
    const { collected } = this;
    // What came before a connection broke need not come again: the reader gets it, and then the error.
    if (collected !== undefined && !isAbort) {
      this.collected = undefined;
      this.stream(collected.announcedBytes)?.failAfter(collected.received, error);
      return;
    }
    this.settle();
    this.collected = undefined;
    this.reject(error);
    this.controller?.abort(error);
  }

  private settle(): void {
    this.isSettled = true;
    this.unlisten();
  }

  private unlisten(): void {
    this.request.signal?.removeEventListener('abort', this.onAbort);
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
