/** A folder or a file of a server that is reached with SSH, as a source. */
import { posix } from 'node:path';
import { samePin, type ObjectEntry } from '../../model/object-entry.js';
import type {
  CallOptions,
  ListOptions,
  OpenObject,
  ReadOptions,
  StatOptions,
  Store,
  StoreCapabilities,
  StorePace,
} from '../store.js';
import { SftpBody } from './body.js';
import type { SftpConfig } from './config.js';
import { entryOf, kindOf, modifiedAtOf, pinOf } from './entry.js';
import { errorOfSession, sftpError, type SftpPlace } from './errors.js';
import { ConnectionPool, orAbort, type Lease } from './pool.js';
import { ServerShell } from './shell.js';
import { resolveInside, resolveRoot, type Located } from './resolve.js';
import { walkFolder } from './walk.js';

/** What every SFTP server can do. */
export const SFTP_CAPABILITIES: StoreCapabilities = {
  canList: true,
  ranges: 'yes',
  pin: 'weak',
  knowsSizes: true,
  nativeDigests: ['sha256'],
  listsInOrder: true,
  maxConnections: 16,
};

/** See `Store` for the methods. */
export class SftpStore implements Store {
  readonly name = 'sftp';
  readonly root: string;
  readonly capabilities = SFTP_CAPABILITIES;
  private readonly pool: ConnectionPool;
  private readonly shell: ServerShell;
  private readonly bodies = new Set<SftpBody>();
  private realRoot: string | undefined;

  constructor(
    private readonly config: SftpConfig,
    private readonly pace: StorePace | undefined,
  ) {
    const { path } = config.address;
    this.root = `${config.shown}${path.startsWith('/') ? path : `/~/${path}`.replace(/\/\.$/, '')}`;
    this.pool = new ConnectionPool(config);
    this.shell = new ServerShell(config.checksum);
  }

  stat(path: string, options: StatOptions = {}): Promise<ObjectEntry> {
    const trimmed = trim(path);
    const place = this.placeOf('stat', trimmed);
    return this.withLease(place, options, async (lease) => {
      const { attributes, realPath } = await this.find(lease, trimmed, place);
      const entry = entryOf(trimmed, attributes);
      if (entry.kind === 'special') throw special(place);
      const { wantsDigests = false } = options;
      if (entry.kind !== 'file' || wantsDigests === false) return entry;
      if (wantsDigests === true)
        return { ...entry, ...(await this.digestsOf(lease, realPath, entry.sizeBytes)) };
      return this.shell.isWanted(entry.sizeBytes ?? 0)
        ? { ...entry, digestsOnRequest: 'beside' }
        : entry;
    });
  }

  async *list(prefix: string, options: ListOptions): AsyncGenerator<ObjectEntry> {
    const { recursive, signal } = options;
    const trimmed = trim(prefix);
    const place = this.placeOf('list', trimmed);
    const lease = await this.lease(place, signal);
    let isLeft = true;
    try {
      const { session } = lease;
      const { realRoot, realPath, attributes } = await orAbort(
        this.find(lease, trimmed, place),
        signal,
      );
      if (kindOf(attributes) !== 'directory')
        throw sftpError('WB_NOT_FOUND', 'is not a folder', place);
      const walk = {
        session,
        realRoot,
        recursive,
        signal,
        beforeFolder: async () => this.pace?.beforeRequest(signal),
        placeOf: (path: string) => this.placeOf('list', path),
      };
      yield* walkFolder(walk, realPath, trimmed, [realPath]);
      isLeft = false;
    } finally {
      lease.release(isLeft && lease.session.pending > 0);
    }
  }

  async openRead(path: string, options: ReadOptions = {}): Promise<OpenObject> {
    const { offsetBytes = 0, lengthBytes, pin: pinned, signal } = options;
    const place = this.placeOf('openRead', path);
    const lease = await this.lease(place, signal);
    let isLent = false;
    try {
      const { realPath } = await orAbort(this.findFile(lease, path, place), signal);
      const handle = await orAbort(lease.session.open(realPath), signal);
      const attributes = await orAbort(lease.session.fstat(handle), signal);
      const { sizeBytes } = attributes;
      if (kindOf(attributes) !== 'file') throw special(place);
      if (sizeBytes === undefined) {
        throw sftpError('WB_UNSUPPORTED', 'has no size that the server would say', place, {
          scope: 'file',
        });
      }
      const pin = pinOf(attributes);
      if (pinned && !samePin(pinned, pin)) {
        throw sftpError('WB_SOURCE_CHANGED', 'changed since it was listed', place);
      }
      if (offsetBytes > 0 && offsetBytes >= sizeBytes) {
        throw sftpError(
          'WB_SIZE_MISMATCH',
          `has ${sizeBytes} bytes, none at ${offsetBytes}`,
          place,
        );
      }
      const endBytes = Math.min(sizeBytes, offsetBytes + (lengthBytes ?? sizeBytes));
      // Whoever says how much it wants reads ranges, and has asked for the digest before.
      const isAll =
        offsetBytes === 0 && lengthBytes === undefined && sizeBytes <= DIGEST_FIRST_BYTES;
      const digests = isAll
        ? this.digestsOf(lease, realPath, sizeBytes)
        : this.shell.askClock(lease, sizeBytes).then(() => ({}));
      const fresh = await orAbort(digests, signal);
      const body = new SftpBody(
        { lease, handle, pin, place },
        offsetBytes,
        endBytes,
        signal,
        this.pace,
      );
      isLent = true;
      this.bodies.add(body);
      body.once('close', () => this.bodies.delete(body));
      const modifiedAt = modifiedAtOf(attributes);
      return {
        body,
        offsetBytes,
        lengthBytes: endBytes - offsetBytes,
        sizeBytes,
        ...(pin === undefined ? {} : { pin }),
        ...(modifiedAt === undefined ? {} : { modifiedAt }),
        ...fresh,
        ending: 'length',
        answeredAt: new Date(this.shell.nowMs() ?? Date.now() - CLOCK_DOUBT_MS).toISOString(),
      };
    } catch (error) {
      signal?.throwIfAborted();
      throw errorOfSession(error, place);
    } finally {
      // An open handle is closed with its connection, where the rest failed.
      if (!isLent) lease.release(true);
    }
  }

  async close(): Promise<void> {
    for (const body of this.bodies) body.destroy();
    this.bodies.clear();
    this.pool.close();
    await Promise.resolve();
  }

  private async lease(place: SftpPlace, signal: AbortSignal | undefined): Promise<Lease> {
    signal?.throwIfAborted();
    try {
      await this.pace?.beforeRequest(signal);
      return await this.pool.lease(signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw errorOfSession(error, place);
    }
  }

  private async withLease<T>(
    place: SftpPlace,
    { signal }: CallOptions,
    use: (lease: Lease) => Promise<T>,
  ): Promise<T> {
    const lease = await this.lease(place, signal);
    let isLeft = true;
    try {
      const value = await orAbort(use(lease), signal);
      isLeft = false;
      return value;
    } catch (error) {
      isLeft = signal?.aborted === true;
      signal?.throwIfAborted();
      throw errorOfSession(error, place);
    } finally {
      lease.release(isLeft);
    }
  }

  private async rootOf(session: Lease['session'], place: SftpPlace): Promise<string> {
    this.realRoot ??= await resolveRoot(session, this.config.address.path, place);
    return this.realRoot;
  }

  private async find(
    { session }: Lease,
    path: string,
    place: SftpPlace,
  ): Promise<Located & { readonly realRoot: string }> {
    const realRoot = await this.rootOf(session, place);
    return { realRoot, ...(await resolveInside(session, realRoot, path, place)) };
  }

  private async digestsOf(
    lease: Lease,
    realPath: string,
    sizeBytes: number | undefined,
  ): Promise<Pick<ObjectEntry, 'digests' | 'areDigestsFresh'>> {
    if (sizeBytes === undefined || !this.shell.isWanted(sizeBytes)) return {};
    const sha256 = await this.shell.sha256(lease, realPath, sizeBytes);
    return sha256 === undefined ? {} : { digests: { sha256 }, areDigestsFresh: true };
  }

  /** A FIFO would block, and a device may act, when it is merely opened. */
  private async findFile(lease: Lease, path: string, place: SftpPlace): Promise<Located> {
    const located = await this.find(lease, path, place);
    const kind = kindOf(located.attributes);
    if (kind === 'file') return located;
    throw special(place);
  }

  private placeOf(operation: string, path: string): SftpPlace {
    const address = path === '' ? this.root : posix.join('/', path);
    return {
      operation,
      path,
      address: path === '' ? address : `${this.root.replace(/\/$/, '')}${address}`,
    };
  }
}

/** How wrong the clock of a server may be, which SFTP does not tell: a younger file is not continued after a kill. */
const CLOCK_DOUBT_MS = 5 * 60_000;

/** While the server hashes a larger one, the reader would take it for one that stands still. */
const DIGEST_FIRST_BYTES = 1024 ** 3;

function trim(path: string): string {
  return path.replace(/\/+$/, '');
}

function special(place: SftpPlace): Error {
  return sftpError('WB_UNSUPPORTED', 'is not a regular file', place, { scope: 'file' });
}
