/** The GCS store: a bucket, or what lies below a name of it. */
import { WaybillError } from '../../model/errors.js';
import type { ObjectEntry, Pin } from '../../model/object-entry.js';
import type { HttpAnswer } from '../lib/http-client.js';
import type { Refusal } from '../lib/learn-once.js';
import { keyOf, withoutSlash } from '../lib/object-keys.js';
import { fileKeyOf, listingBelow, nothingThere, unlessMissing } from '../lib/object-store.js';
import { openRanged } from '../lib/open-ranged.js';
import type {
  CallOptions,
  ListOptions,
  OpenObject,
  ReadOptions,
  Store,
  StoreAddress,
  StoreCapabilities,
} from '../store.js';
import {
  digestsOfHeaders,
  factsOf,
  GcsObject,
  generationOf,
  OBJECT_FIELDS,
  pinOfHeaders,
  transcodingOf,
} from './answers.js';
import type { GcsConfig } from './config.js';
import { GcsConnection, MAX_CONNECTIONS } from './connection.js';
import type { GcsRequest } from './connection.js';
import { hasNames, listNames } from './listing.js';
import type { Listing } from './listing.js';

/** What Cloud Storage can do. */
export const GCS_CAPABILITIES: StoreCapabilities = {
  canList: true,
  ranges: 'yes',
  pin: 'strong',
  knowsSizes: true,
  nativeDigests: ['crc32c', 'md5'],
  listsInOrder: true,
  maxConnections: MAX_CONNECTIONS,
};

/** See `Store` for the methods. */
export class GcsStore implements Store {
  readonly name = 'gcs';
  readonly root: string;
  readonly capabilities = GCS_CAPABILITIES;
  private readonly connection: GcsConnection;

  constructor(
    private readonly config: GcsConfig,
    address: StoreAddress,
  ) {
    this.root = config.root;
    this.connection = new GcsConnection(config, address);
  }

  async stat(path: string, options: CallOptions = {}): Promise<ObjectEntry> {
    options.signal?.throwIfAborted();
    const clean = withoutSlash(path);
    const key = keyOf(this.config.rootKey, clean);
    const isFolder = key === '' || clean !== path || (path === '' && this.config.isFolder);
    if (!isFolder) {
      const file = await this.describe(clean, key, 'stat', options);
      if (file !== undefined) return file;
    }
    const listing = this.listing(clean, { ...options, recursive: true }, 'stat');
    // A bucket may be empty; a folder without anything, not even an object of its own, is missing.
    if (!(await hasNames(this.connection, listing)) && key !== '') throw this.missing(listing);
    return { path: clean, kind: 'directory' };
  }

  async *list(prefix: string, options: ListOptions): AsyncGenerator<ObjectEntry, void, undefined> {
    options.signal?.throwIfAborted();
    const listing = this.listing(withoutSlash(prefix), options, 'list');
    let isEmpty = true;
    for await (const entry of listNames(this.connection, listing)) {
      isEmpty = false;
      if ('path' in entry) yield entry;
    }
    if (isEmpty && listing.keyPrefix !== '') throw this.missing(listing);
  }

  async openRead(path: string, options: ReadOptions = {}): Promise<OpenObject> {
    const { pin, signal } = options;
    signal?.throwIfAborted();
    const generation = generationOf(pin);
    const request: GcsRequest = {
      what: 'media',
      key: this.fileKey(path),
      query: { alt: 'media', ...(generation === undefined ? {} : { generation }) },
      operation: 'openRead',
      path,
      ...(signal === undefined ? {} : { signal }),
    };
    const opened = await this.connection.attempt((refusal) =>
      openRanged(this.connection.http, {
        ...options,
        url: this.connection.urlOf(request),
        store: 'gcs',
        path,
        // Else Google unpacks what is stored compressed, and neither ranges nor digests hold.
        headers: (own) => this.connection.headersOf({ ...own, 'accept-encoding': 'gzip' }),
        pinOf: pinOfHeaders,
        digestsOf: digestsOfHeaders,
        errorOf: (answer) => this.errorOf(answer, request, refusal, pin),
        acceptsEncoding: true,
        redirects: 'never',
      }),
    );
    const why = transcodingOf(opened.headers);
    const isGoogle = opened.headers['x-goog-generation'] !== undefined;
    if (isGoogle && why === undefined) return opened;
    opened.body.destroy();
    if (why === undefined) throw this.connection.notGcs(request);
    throw new WaybillError('WB_UNSUPPORTED', `${path === '' ? this.root : path}: ${why}`, {
      ...{ operation: 'openRead', store: 'gcs', path, scope: 'file', retryable: false },
      advice: 'Ask whoever runs the proxy in between not to change what it passes on.',
    });
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /** Where a generation is asked for, "not found" may mean that there is another by now. */
  private async errorOf(
    answer: HttpAnswer,
    request: GcsRequest,
    refusal: Refusal<GcsRequest>,
    pin: Pin | undefined,
  ): Promise<WaybillError> {
    const error = await refusal(answer, request);
    const generation = generationOf(pin);
    if (answer.status !== 404 || generation === undefined || error.scope === 'source') return error;
    const { path, key, signal } = request;
    const now = await this.describe(path, key, 'openRead', signal === undefined ? {} : { signal });
    if (now === undefined) return error;
    const current = generationOf(now.pin) ?? 'another';
    return new WaybillError(
      'WB_SOURCE_CHANGED',
      `gs://${this.config.bucket}/${key} was replaced: generation ${generation} is gone, and ${current} is there now`,
      { operation: 'openRead', store: 'gcs', path },
    );
  }

  /** The file of a name; undefined where there is none. */
  private async describe(
    path: string,
    key: string,
    operation: string,
    { signal }: CallOptions,
  ): Promise<ObjectEntry | undefined> {
    const request: GcsRequest = {
      what: 'describe',
      key,
      query: { fields: OBJECT_FIELDS },
      operation,
      path,
      ...(signal === undefined ? {} : { signal }),
    };
    const answer = await unlessMissing(this.connection.ask(request));
    if (answer === undefined) return undefined;
    const found = GcsObject.safeParse(answer);
    if (!found.success) throw this.connection.notGcs(request);
    return { path, kind: 'file', ...factsOf(found.data) };
  }

  private listing(path: string, options: ListOptions, operation: string): Listing {
    const { rootKey } = this.config;
    const { recursive } = options;
    return { ...listingBelow('gcs', rootKey, path, operation, options), recursive };
  }

  private missing(listing: Listing): WaybillError {
    return nothingThere(`gs://${this.config.bucket}`, listing);
  }

  private fileKey(path: string): string {
    const key = fileKeyOf('gcs', this.config, path);
    // Google has no objects of these names, and a URL with one would be another URL.
    if (key !== '.' && key !== '..') return key;
    const message = `no object has the name "${key}"`;
    throw new WaybillError('WB_NOT_FOUND', message, { operation: 'openRead', store: 'gcs', path });
  }
}
