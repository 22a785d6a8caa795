/** The FTP store: a folder of a server, or one file. */
import { setTimeout as sleep } from 'node:timers/promises';
import { posix } from 'node:path';
import { WaybillError } from '../../model/errors.js';
import { samePin, type ObjectEntry } from '../../model/object-entry.js';
import { reasonOf } from '../lib/as-error.js';
import { askAgain } from '../lib/ask-again.js';
import { errorOfBody } from '../lib/http-errors.js';
import type {
  ListOptions,
  OpenObject,
  ReadOptions,
  Store,
  StoreAddress,
  StoreCapabilities,
  StorePace,
  StatOptions,
} from '../store.js';
import { FtpBody } from './body.js';
import type { FtpConfig } from './config.js';
import { ServerDigests } from './digests.js';
import { ftpErrorOf, placeOf, saysForbidden, type Asked } from './errors.js';
import { FolderReader, type Folder } from './folders.js';
import type { Listed } from './list-lines.js';
import type { Session } from './login.js';
import { look, UNTOLD, type Facts } from './look.js';
import { joinPath, wireOf } from './names.js';
import { FtpPool, MAX_CONNECTIONS } from './pool.js';
import { Refusal, wordsOf } from './replies.js';
import { factsOf, walkFolder } from './walk.js';

export const FTP_CAPABILITIES: StoreCapabilities = {
  canList: true,
  ranges: 'yes',
  pin: 'weak',
  knowsSizes: true,
  nativeDigests: ['sha256'],
  listsInOrder: true,
  describesCheaply: true,
  maxConnections: MAX_CONNECTIONS,
};

/** While the server hashes a larger one, the reader would take it for one that stands still. */
const DIGEST_FIRST_BYTES = 1024 ** 3;

/**
 * FTP tells no time of its own. Ours, less what wrong clocks and servers that say local time for UTC can amount to: a file
 * older than that is not of the same moment as its reading.
 */
const CLOCK_DOUBT_MS = 24 * 60 * 60 * 1_000;

/** A file of this size or more is worth a moment's wait, so that what comes of it survives a kill. */
const WAITED_FOR_BYTES = 64 * 1024 * 1024;
/** Longer than the second that MDTM tells and the two that a weak pin has to be old (rule 12). */
const SETTLES_IN_MS = 3_000;

/** See `Store` for the methods. */
export class FtpStore implements Store {
  readonly name = 'ftp';
  readonly root: string;
  readonly capabilities = FTP_CAPABILITIES;
  private readonly pool: FtpPool;
  private readonly folders: FolderReader;
  private readonly digests: ServerDigests;
  private readonly pace: StorePace | undefined;

  /** Large young files: when this pin was first there, by the monotonic clock. */
  private readonly firstSeen = new Map<string, { readonly value: string; readonly atMs: number }>();

  constructor(
    private readonly config: FtpConfig,
    address: StoreAddress,
  ) {
    this.root = config.root;
    this.pace = address.pace;
    this.pool = new FtpPool(config, address.pace);
    this.folders = new FolderReader(config, address.pace);
    this.digests = new ServerDigests(config.checksum);
  }

  async stat(path: string, options: StatOptions = {}): Promise<ObjectEntry> {
    options.signal?.throwIfAborted();
    const clean = path.replace(/\/+$/, '');
    const asked = { operation: 'stat', path: clean };
    const isFolder = clean !== path || (clean === '' && this.config.isFolder);
    return this.use(asked, options.signal, async (session) => {
      const wire = this.wireOf(session, asked);
      const looked = isFolder ? undefined : await look(session, wire);
      if (looked !== undefined && !(looked instanceof Refusal) && looked !== UNTOLD) {
        const { wantsDigests = false } = options;
        const digests =
          wantsDigests === true ? await this.digests.of(session, wire, looked.sizeBytes) : {};
        if (wantsDigests === 'cheap' && this.digests.canTell(session, wire, looked.sizeBytes)) {
          return { path: clean, kind: 'file', ...looked, digestsOnRequest: 'after' };
        }
        return { path: clean, kind: 'file', ...looked, ...digests };
      }
      const entered = await session.connection.send(`CWD ${wire}`);
      if (entered.code < 300) return { path: clean, kind: 'directory' };
      if (looked === UNTOLD) {
        const listed = await this.listedAt(session, joinPath(this.rootOf(session), clean));
        if (listed?.kind === 'file') return { path: clean, kind: 'file', ...factsOf(listed) };
      }
      throw await this.missing(session, asked, new Refusal(entered, 'CWD'));
    });
  }

  async *list(prefix: string, options: ListOptions): AsyncGenerator<ObjectEntry> {
    const { signal, recursive } = options;
    signal?.throwIfAborted();
    const clean = prefix.replace(/\/+$/, '');
    const read = (path: string, shown: string): Promise<Folder> =>
      askAgain(options, () => this.readFolder(path, shown, signal));
    const { first, realRoot } = await askAgain(options, () => this.readFirst(clean, signal));
    yield* walkFolder({ realRoot, recursive, read }, first, clean, [first.realPath]);
  }

  async openRead(path: string, options: ReadOptions = {}): Promise<OpenObject> {
    const { signal } = options;
    signal?.throwIfAborted();
    const asked = { operation: 'openRead', path };
    let session: Session | undefined;
    const onAbort = (): void => session?.connection.destroy(reasonOf(signal));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      session = await this.pool.lease(signal);
      return await this.openWith(session, asked, options);
    } catch (error) {
      if (session !== undefined) this.pool.release(session);
      if (signal?.aborted) throw reasonOf(signal);
      throw ftpErrorOf(error, asked, this.config);
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  async close(): Promise<void> {
    this.pool.close();
    await Promise.resolve();
  }

  private async openWith(
    session: Session,
    asked: Asked,
    options: ReadOptions,
  ): Promise<OpenObject> {
    const { lengthBytes: askedBytes, pin, signal } = options;
    const { connection } = session;
    const wire = this.wireOf(session, asked);
    const facts = await look(session, wire);
    if (facts instanceof Refusal) throw await this.missing(session, asked, facts);
    const { sizeBytes } = facts;
    if (pin !== undefined && !samePin(pin, facts.pin))
      throw this.changed(asked, 'since it was listed');
    this.checkOffset(asked, options.offsetBytes ?? 0, sizeBytes);
    const answeredAt = await this.clockOf(session, asked, facts, signal);
    // Whoever says how much it wants reads ranges, and has asked for the digest before.
    const isAll = (options.offsetBytes ?? 0) === 0 && askedBytes === undefined;
    const isFirst = isAll && (sizeBytes ?? 0) <= DIGEST_FIRST_BYTES;
    const digests = isFirst ? await this.digests.of(session, wire, sizeBytes) : {};
    const data = await connection.openData();
    let offsetBytes = options.offsetBytes ?? 0;
    if (offsetBytes > 0) {
      const rest = await connection.send(`REST ${offsetBytes}`);
      if (rest.code !== 350) offsetBytes = 0;
    }
    const started = await connection.send(`RETR ${wire}`);
    if (started.code >= 200) {
      data.destroy();
      throw await this.missing(session, asked, new Refusal(started, 'RETR'));
    }
    const restBytes = sizeBytes === undefined ? undefined : sizeBytes - offsetBytes;
    const isWhole = offsetBytes !== (options.offsetBytes ?? 0);
    const wanted = isWhole ? undefined : askedBytes;
    const isPart = wanted !== undefined && wanted < (restBytes ?? Infinity);
    const lengthBytes = isPart ? wanted : restBytes;
    const body = new FtpBody({
      ...{ connection, data, isPart, signal, lengthBytes, pace: this.pace },
      stallMs: this.config.timeouts.stallMs,
      release: () => this.pool.release(session),
      checkUnchanged: () => this.checkUnchanged(asked, facts, signal),
      toError: (cause, receivedBytes) => this.bodyError(asked, cause, receivedBytes, lengthBytes),
    });
    return {
      body,
      offsetBytes,
      ...(lengthBytes === undefined ? {} : { lengthBytes }),
      ...facts,
      ...digests,
      ending: lengthBytes === undefined ? 'close' : 'length',
      answeredAt,
    };
  }

  /**
   * The least that the server's clock can show. When a file was first seen, it showed at least the time of that file; since
   * then it has gone on as ours has. A large young file is waited for, and looked at once more.
   */
  private async clockOf(
    session: Session,
    asked: Asked,
    facts: Facts,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const least = Date.now() - CLOCK_DOUBT_MS;
    const modifiedMs = Date.parse(facts.modifiedAt ?? '');
    const isYoung = modifiedMs + SETTLES_IN_MS > least;
    if (!isYoung || (facts.sizeBytes ?? 0) < WAITED_FOR_BYTES) return new Date(least).toISOString();
    const value = facts.pin?.value ?? '';
    const before = this.firstSeen.get(asked.path);
    const first = before?.value === value ? before : { value, atMs: performance.now() };
    this.firstSeen.set(asked.path, first);
    const waitMs = first.atMs + SETTLES_IN_MS - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, signal === undefined ? {} : { signal });
    const now = await look(session, this.wireOf(session, asked));
    if (now instanceof Refusal || now.pin === undefined || now.pin.value !== value) {
      throw this.changed(asked, 'while it was looked at');
    }
    return new Date(modifiedMs + SETTLES_IN_MS).toISOString();
  }

  private checkOffset(asked: Asked, offsetBytes: number, sizeBytes: number | undefined): void {
    if (offsetBytes === 0 || sizeBytes === undefined || offsetBytes < sizeBytes) return;
    const message = `${placeOf(asked, this.config)} has ${sizeBytes} bytes, none at ${offsetBytes}`;
    throw new WaybillError('WB_SIZE_MISMATCH', message, { ...asked, store: 'ftp' });
  }

  /** A file that was replaced while it was read would be a mixture of two. */
  private checkUnchanged(
    asked: Asked,
    before: Facts,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return this.use(asked, signal, async (session) => {
      const now = await look(session, this.wireOf(session, asked));
      if (now instanceof Refusal) throw this.changed(asked, 'while it was read: it is gone');
      const isSame = now.sizeBytes === before.sizeBytes && now.modifiedAt === before.modifiedAt;
      if (!isSame || now.pin?.value !== before.pin?.value) {
        throw this.changed(asked, 'while it was read');
      }
    });
  }

  private changed(asked: Asked, how: string): WaybillError {
    const message = `${placeOf(asked, this.config)} changed ${how}`;
    return new WaybillError('WB_SOURCE_CHANGED', message, { ...asked, store: 'ftp' });
  }

  private bodyError(
    asked: Asked,
    cause: unknown,
    receivedBytes: number,
    announcedBytes: number | undefined,
  ): Error {
    if (cause instanceof WaybillError || cause instanceof Refusal) {
      return ftpErrorOf(cause, asked, this.config);
    }
    const where = { ...asked, store: 'ftp', address: placeOf(asked, this.config) };
    return errorOfBody({ cause: cause as Error, receivedBytes, announcedBytes }, where);
  }

  private readFolder(
    path: string,
    shown: string,
    signal: AbortSignal | undefined,
  ): Promise<Folder> {
    const asked = { operation: 'list', path: shown };
    return this.use(asked, signal, async (session) => {
      try {
        return await this.folders.read(session, path, shown);
      } catch (error) {
        if (!(error instanceof Refusal) || error.command !== 'CWD') throw error;
        throw await this.missing(session, asked, error, path);
      }
    });
  }

  /** The folder that is asked for, and where the root is that no link may leave. */
  private readFirst(
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly first: Folder; readonly realRoot: string }> {
    const asked = { operation: 'list', path };
    return this.use(asked, signal, async (session) => {
      try {
        const at = joinPath(this.rootOf(session), path);
        const first = await this.folders.read(session, at, path);
        if (path === '') return { first, realRoot: first.realPath };
        return { first, realRoot: await this.folders.realPathOf(session, this.rootOf(session)) };
      } catch (error) {
        if (!(error instanceof Refusal) || error.command !== 'CWD') throw error;
        const looked = await look(session, this.wireOf(session, asked));
        const isFile =
          looked === UNTOLD
            ? (await this.listedAt(session, joinPath(this.rootOf(session), path)))?.kind === 'file'
            : !(looked instanceof Refusal);
        if (!isFile) throw await this.missing(session, asked, error);
        const message = `${placeOf(asked, this.config)} is a file and no folder`;
        throw new WaybillError('WB_NOT_FOUND', message, { ...asked, store: 'ftp' });
      }
    });
  }

  /** Some servers say the same of what is missing and of what is forbidden: the folder around it tells. */
  private async missing(
    session: Session,
    asked: Asked,
    refusal: Refusal,
    path = joinPath(this.rootOf(session), asked.path),
  ): Promise<Error> {
    const error = ftpErrorOf(refusal, asked, this.config);
    const { reply } = refusal;
    const isClear = saysForbidden(reply) || /no such|not found|not exist/i.test(wordsOf(reply));
    const scope = asked.path === '' ? { scope: 'source' as const } : {};
    if (!isClear && reply.code === 550 && (await this.isListed(session, path))) {
      const message = `${placeOf(asked, this.config)} is there, and may not be read (${refusal.command}: ${refusal.message})`;
      return new WaybillError('WB_PERMISSION_DENIED', message, {
        ...{ ...asked, store: 'ftp', scope: 'file', ...scope, cause: refusal },
      });
    }
    if (!(error instanceof WaybillError) || error.code !== 'WB_NOT_FOUND') return error;
    return new WaybillError(error.code, error.message, {
      ...asked,
      store: 'ftp',
      ...scope,
      cause: refusal,
    });
  }

  /** A link that is there, and that leads nowhere, is a missing file. */
  private async isListed(session: Session, path: string): Promise<boolean> {
    const listed = await this.listedAt(session, path);
    return listed !== undefined && listed.kind !== 'link';
  }

  /** What the folder around something says of it. */
  private async listedAt(session: Session, path: string): Promise<Listed | undefined> {
    try {
      const { names } = await this.folders.read(session, posix.dirname(path), '');
      return names.find(({ name }) => name === posix.basename(path));
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  }

  private rootOf({ home }: Session): string {
    return joinPath(this.config.isAbsolute ? '/' : home, this.config.path);
  }

  private wireOf(session: Session, { path, operation }: Asked): string {
    return wireOf(joinPath(this.rootOf(session), path), operation, path);
  }

  /** Does something with a connection; an abort ends the connection, and with it what is done. */
  private async use<T>(
    asked: Asked,
    signal: AbortSignal | undefined,
    act: (session: Session) => Promise<T>,
  ): Promise<T> {
    let session: Session | undefined;
    const onAbort = (): void => session?.connection.destroy(reasonOf(signal));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      session = await this.pool.lease(signal);
      return await act(session);
    } catch (error) {
      if (signal?.aborted) throw reasonOf(signal);
      throw ftpErrorOf(error, asked, this.config);
    } finally {
      signal?.removeEventListener('abort', onAbort);
      if (session !== undefined) this.pool.release(session);
    }
  }
}
