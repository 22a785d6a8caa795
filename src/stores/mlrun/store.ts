/** The files of one MLRun record, wherever they lie, held against what was written down of them. */
import { redactUri } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';
import type { ObjectEntry, Pin } from '../../model/object-entry.js';
import { compareByBytes } from '../../model/object-path.js';
import { joinPath } from '../lib/join-path.js';
import type {
  CallOptions,
  ListOptions,
  OpenObject,
  ReadOptions,
  StatOptions,
  Store,
  StoreCapabilities,
} from '../store.js';
import { mlrunError } from './errors.js';
import type { Member } from './members.js';
import type { Placed, Places } from './places.js';

/** A record, read. */
export interface Loaded {
  readonly members: readonly Member[];
  /** What the registry knows, as JSON. */
  readonly note: string;
}

/** What a store is made of. */
export interface MlrunStoreParts {
  /** As `formatLocation` wrote it. */
  readonly uri: string;
  readonly places: Places;
  /** Reads the record again, and refuses another one than was resolved. */
  readonly load: (signal: AbortSignal | undefined) => Promise<Loaded>;
  readonly close: () => Promise<void>;
}

/** What the stores behind it can do, each answer tells. */
const CAPABILITIES: StoreCapabilities = {
  canList: true,
  ranges: 'unknown',
  pin: 'unknown',
  knowsSizes: true,
  nativeDigests: ['sha1', 'sha256', 'md5', 'crc32', 'crc32c', 'crc64nvme'],
  listsInOrder: false,
  maxConnections: 16,
};

/** Where a path of the tree lies. */
interface Located {
  readonly member: Member;
  readonly placed: Placed;
  /** In the member's store. */
  readonly inner: string;
}

/** The store. */
export class MlrunStore implements Store {
  readonly name = 'mlrun';
  readonly root: string;
  readonly capabilities = CAPABILITIES;
  private loaded: Promise<Loaded> | undefined;

  constructor(private readonly parts: MlrunStoreParts) {
    this.root = parts.uri;
  }

  async stat(path: string, options: StatOptions = {}): Promise<ObjectEntry> {
    options.signal?.throwIfAborted();
    const own = path.replace(/\/+$/, '');
    const { members } = await this.load(options);
    const located = await this.locate(members, own);
    if (located === undefined) {
      if (own === '' || hasBelow(members, own)) return { path: own, kind: 'directory' };
      throw this.missing(own, 'stat');
    }
    const { member, placed, inner } = located;
    const entry = await retold(own, placed.store.stat(inner, options));
    return held({ ...entry, path: own }, member, own);
  }

  async *list(prefix: string, options: ListOptions): AsyncIterable<ObjectEntry> {
    options.signal?.throwIfAborted();
    const own = prefix.replace(/\/+$/, '');
    const { members } = await this.load(options);
    const located = await this.locate(members, own);
    if (located !== undefined) {
      yield* listIn(located, own, options);
      return;
    }
    if (own !== '' && !hasBelow(members, own)) throw this.missing(own, 'list');
    const start = own === '' ? '' : `${own}/`;
    const below = members.filter(({ path }) => path.startsWith(start));
    let folder: string | undefined;
    for (const member of [...below].sort((a, b) => compareByBytes(a.path, b.path))) {
      const [first = '', ...rest] = member.path.slice(start.length).split('/');
      if (!options.recursive && rest.length > 0) {
        if (first !== folder) yield { path: start + first, kind: 'directory' };
        folder = first;
        continue;
      }
      yield* this.listMember(member, options);
    }
  }

  async openRead(path: string, options: ReadOptions = {}): Promise<OpenObject> {
    options.signal?.throwIfAborted();
    const located = await this.locate((await this.load(options)).members, path);
    if (located === undefined) throw this.missing(path, 'openRead');
    const { member, placed, inner } = located;
    const opened = await retold(path, placed.store.openRead(inner, options));
    try {
      refuseOverwritten(member, path, opened.sizeBytes, opened.digests?.sha1);
    } catch (error) {
      opened.body.on('error', () => undefined).destroy();
      throw error;
    }
    const { sha1 } = member;
    if (sha1 === undefined || path !== member.path) return opened;
    // Its body may be made when it is asked for: it is no plain property.
    return Object.defineProperties(
      {},
      {
        ...Object.getOwnPropertyDescriptors(opened),
        digests: { value: { ...opened.digests, sha1 }, enumerable: true },
        recordedDigests: { value: ['sha1'], enumerable: true },
      },
    ) as OpenObject;
  }

  async describeSource(options: CallOptions): Promise<string> {
    return (await this.load(options)).note;
  }

  async close(): Promise<void> {
    await this.parts.close();
  }

  /** The record, read once; a failure is nobody's but the caller's. */
  private load({ signal }: CallOptions): Promise<Loaded> {
    this.loaded ??= this.parts.load(signal).catch((error: unknown) => {
      this.loaded = undefined;
      throw error;
    });
    return this.loaded;
  }

  private async *listMember(member: Member, options: ListOptions): AsyncIterable<ObjectEntry> {
    const placed = await this.parts.places.of(member);
    let entry: ObjectEntry;
    try {
      entry = await placed.store.stat(placed.path, options);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'WB_NOT_FOUND') throw error;
      // What the record names and the store lacks fails by its name when it is fetched.
      if (member.isOptional !== true) yield { path: member.path, kind: 'file' };
      return;
    }
    if (entry.kind === 'file') {
      yield held({ ...entry, path: member.path }, member, member.path);
      return;
    }
    if (options.recursive)
      yield* listIn({ member, placed, inner: placed.path }, member.path, options);
    else yield { path: member.path, kind: 'directory' };
  }

  private async locate(members: readonly Member[], path: string): Promise<Located | undefined> {
    const member = members.find(
      (one) => one.path === '' || one.path === path || path.startsWith(`${one.path}/`),
    );
    if (member === undefined) return undefined;
    const placed = await this.parts.places.of(member);
    const rest = member.path === '' ? path : path.slice(member.path.length + 1);
    return { member, placed, inner: joinPath(placed.path, rest) };
  }

  private missing(path: string, operation: string): Error {
    const message = `there is no ${path === '' ? 'file' : JSON.stringify(path)} in ${this.root}`;
    return mlrunError('WB_NOT_FOUND', message, { operation, path });
  }
}

function hasBelow(members: readonly Member[], path: string): boolean {
  return members.some((member) => member.path.startsWith(`${path}/`));
}

/** All below a path of a member's store, by their paths in the tree. */
async function* listIn(
  { member, placed, inner }: Located,
  own: string,
  options: ListOptions,
): AsyncIterable<ObjectEntry> {
  const cut = inner === '' ? 0 : inner.length + 1;
  try {
    for await (const entry of placed.store.list(inner, options)) {
      const path = joinPath(own, entry.path.slice(cut));
      yield held({ ...entry, path }, member, path);
    }
  } catch (error) {
    throw error instanceof WaybillError ? retoldOf(own, error) : error;
  }
}

/** What the store behind it says of a path is said of the path in this tree. */
async function retold<T>(path: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw error instanceof WaybillError ? retoldOf(path, error) : error;
  }
}

function retoldOf(path: string, error: WaybillError): WaybillError {
  const { code, message, scope, retryable, operation, retryAfterMs, advice } = error;
  return mlrunError(code, message, {
    ...{ scope, retryable, advice, path, cause: error },
    ...(operation === undefined ? {} : { operation }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** A file with what was written down of it. One that has another size by now is never taken for the one that is here. */
function held(entry: ObjectEntry, member: Member, path: string): ObjectEntry {
  if (entry.kind !== 'file' || path !== member.path) return entry;
  const { sha1, sizeBytes } = member;
  const isOther =
    sizeBytes !== undefined && entry.sizeBytes !== undefined && entry.sizeBytes !== sizeBytes;
  const { pin, ...rest } = entry;
  const pinned: { pin?: Pin } = pin === undefined || isOther ? {} : { pin };
  if (sha1 === undefined) return { ...rest, ...pinned };
  return {
    ...rest,
    ...pinned,
    digests: { ...entry.digests, sha1 },
    recordedDigests: ['sha1'],
  };
}

/** What can be told before a byte is read. */
function refuseOverwritten(
  member: Member,
  path: string,
  sizeBytes: number | undefined,
  sha1: string | undefined,
): void {
  if (path !== member.path) return;
  const said =
    member.sizeBytes !== undefined && sizeBytes !== undefined && sizeBytes !== member.sizeBytes
      ? `${member.sizeBytes} bytes were recorded for it, ${sizeBytes} are there`
      : member.sha1 !== undefined && sha1 !== undefined && sha1 !== member.sha1
        ? `sha1 ${member.sha1} was recorded for it, ${sha1} is there`
        : undefined;
  if (said === undefined) return;
  throw mlrunError(
    'WB_VERSION_OVERWRITTEN',
    `version overwritten in the store: ${said}: ${redactUri(member.target)}`,
    { operation: 'openRead', path, retryable: false },
  );
}
