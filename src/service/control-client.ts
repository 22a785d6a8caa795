/** How a command, or the worker, talks to the local service. */
import { Stats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import type * as z from 'zod';
import { WaybillError } from '../model/errors.js';
import {
  CONTROL_PROTOCOL,
  controlReplySchema,
  fingerprintReplySchema,
  MAX_LINE_BYTES,
  replyError,
  secretsReplySchema,
  serviceStatusSchema,
  type ServiceStatus,
} from './control-protocol.js';
import { readLines } from './lines.js';
import { readFirstRelease, readMeeting, type Meeting } from './meeting.js';

/** Secrets by the name of the environment variable that they came from. */
export type Secrets = Readonly<Record<string, string>>;

/** An open connection to the local service. Each verb throws WB_TEMPORAL_UNREACHABLE once it is closed. */
export interface ControlClient {
  /**
   * @param options.fresh whether the worker counts its open pulls for this answer (up to a second); without it the
   *   count may be some seconds old. Default true.
   */
  status(options?: { readonly fresh?: boolean }): Promise<ServiceStatus>;
  /** What a service of any version says of itself; `fresh` as for `status`. Throws WB_VERSION_SKEW if it says nothing. */
  meet(options?: { readonly fresh?: boolean }): Promise<Meeting>;
  /** Puts secrets into the service's memory; their fingerprint is no secret and stays the same for good. */
  putCredentials(secrets: Secrets): Promise<string>;
  /** @throws WaybillError WB_UNAUTHENTICATED when the service does not have them (it was restarted) */
  getCredentials(fingerprint: string): Promise<Secrets>;
  /** This connection counts as a client: the service does not idle out before `release` or its end. */
  hold(): Promise<void>;
  release(): Promise<void>;
  /** `true`: the service stays until it is stopped; `false`: it may idle out again. */
  keep(on: boolean): Promise<void>;
  /** Asks the service to end, after `meet` one of any version; `closed` tells when the connection is gone. */
  stop(): Promise<void>;
  /** Settles once the connection is closed, by either side; never rejects. */
  readonly closed: Promise<void>;
  close(): void;
}

/**
 * How long one answer may take. The service answers from memory, but on a host at its limit it waits for its turn; one that
 * died closes the socket at once.
 */
const ANSWER_TIMEOUT_MS = 30_000;

/**
 * Connects to a control socket.
 * @throws WaybillError WB_TEMPORAL_UNREACHABLE when nothing listens there; WB_PERMISSION_DENIED when the socket is
 *   another user's: secrets go to nobody else (rule 1)
 */
export async function connectControl(
  path: string,
  options: { readonly timeoutMs?: number; readonly uid?: number | undefined } = {},
): Promise<ControlClient> {
  await refuseForeign(path, options.uid ?? process.getuid?.());
  const socket = await connect(path);
  return new SocketControlClient(socket, path, options.timeoutMs ?? ANSWER_TIMEOUT_MS);
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: WaybillError) => void;
}

class SocketControlClient implements ControlClient {
  readonly closed: Promise<void>;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  /** As met. */
  #protocol: number = CONTROL_PROTOCOL;

  constructor(
    private readonly socket: Socket,
    private readonly path: string,
    private readonly timeoutMs: number,
  ) {
    readLines(socket, MAX_LINE_BYTES, (line) => this.#receive(line));
    // The close event follows, and carries the news.
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#failAll(gone(path, 'the connection was closed'));
        resolve();
      });
    });
  }

  status({ fresh = true }: { readonly fresh?: boolean } = {}): Promise<ServiceStatus> {
    return this.#ask({ verb: 'status', fresh }, serviceStatusSchema);
  }

  async meet({ fresh = true }: { readonly fresh?: boolean } = {}): Promise<Meeting> {
    const met = (await this.#meetNumbered(fresh)) ?? (await this.#meetFirstRelease(fresh));
    if (met === undefined) throw notUnderstood();
    this.#protocol = met.control;
    return met;
  }

  async putCredentials(secrets: Secrets): Promise<string> {
    return (await this.#ask({ verb: 'put-credentials', secrets }, fingerprintReplySchema))
      .fingerprint;
  }

  async getCredentials(fingerprint: string): Promise<Secrets> {
    return (await this.#ask({ verb: 'get-credentials', fingerprint }, secretsReplySchema)).secrets;
  }

  async hold(): Promise<void> {
    await this.#send({ verb: 'hold' });
  }

  async release(): Promise<void> {
    await this.#send({ verb: 'release' });
  }

  async keep(on: boolean): Promise<void> {
    await this.#send({ verb: 'keep', on });
  }

  async stop(): Promise<void> {
    await this.#send({ verb: 'stop', protocol: this.#protocol });
  }

  close(): void {
    this.socket.destroy();
  }

  async #ask<T>(words: Record<string, unknown>, schema: z.ZodType<T>): Promise<T> {
    const parsed = schema.safeParse(await this.#send(words));
    if (parsed.success) return parsed.data;
    throw notUnderstood(parsed.error);
  }

  async #meetNumbered(fresh: boolean): Promise<Meeting | undefined> {
    try {
      return readMeeting(await this.#send({ verb: 'meet', fresh, protocol: undefined }));
    } catch (error) {
      if (error instanceof WaybillError && error.code === 'WB_VERSION_SKEW') return undefined;
      throw error;
    }
  }

  async #meetFirstRelease(fresh: boolean): Promise<Meeting | undefined> {
    return readFirstRelease(await this.#send({ verb: 'status', fresh, protocol: 1 }));
  }

  #send(words: Record<string, unknown>): Promise<unknown> {
    if (this.socket.destroyed) return Promise.reject(gone(this.path, 'the connection is closed'));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(gone(this.path, `no answer within ${this.timeoutMs / 1000} s`));
      }, this.timeoutMs);
      const settled = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      this.#waiting.set(id, {
        resolve: (result) => (settled(), resolve(result)),
        reject: (error) => (settled(), reject(error)),
      });
      this.socket.write(`${JSON.stringify({ id, protocol: CONTROL_PROTOCOL, ...words })}\n`);
    });
  }

  #receive(line: string): void {
    const reply = controlReplySchema.safeParse(parseJson(line)).data;
    if (reply === undefined) {
      this.socket.destroy();
      return;
    }
    const waiting = this.#waiting.get(reply.id);
    if (reply.ok) waiting?.resolve(reply.result);
    else waiting?.reject(replyError(reply.error));
  }

  #failAll(error: WaybillError): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
  }
}

/** Where the path is too long, the socket lies in the temp folder, and a neighbour may have been there first. */
async function refuseForeign(path: string, uid: number | undefined): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => error);
  if (!(found instanceof Stats)) throw gone(path, 'nothing listens there', found);
  if (uid === undefined || found.uid === uid) return;
  throw new WaybillError(
    'WB_PERMISSION_DENIED',
    `The socket ${path} belongs to user ${found.uid}, not to you (${uid}). ` +
      'Name a state folder of your own with WAYBILL_STATE_DIR.',
    { operation: 'ask the service' },
  );
}

function connect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', (error) => reject(gone(path, error.message, error)));
  });
}

function gone(path: string, why: string, cause?: unknown): WaybillError {
  return new WaybillError(
    'WB_TEMPORAL_UNREACHABLE',
    `The local service does not answer on ${path}: ${why}. Run \`waybill doctor\`.`,
    { operation: 'ask the service', ...(cause === undefined ? {} : { cause }) },
  );
}

function notUnderstood(cause?: unknown): WaybillError {
  return new WaybillError(
    'WB_VERSION_SKEW',
    'The local service answered in a way that this version of Waybill does not understand. ' +
      'Run `waybill down`, then the same command.',
    { operation: 'ask the service', ...(cause === undefined ? {} : { cause }) },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
