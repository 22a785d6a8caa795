/** The S3 store: a bucket, or what lies below a key of it. */
import type { ObjectEntry } from '../../model/object-entry.js';
import type { WaybillError } from '../../model/errors.js';
import type { Headers } from '../lib/exchange.js';
import { contentLengthOf, isoDateOf } from '../lib/http-headers.js';
import type { ObjectFacts } from '../lib/list-objects.js';
import { keyOf, withoutSlash } from '../lib/object-keys.js';
import {
  fileKeyOf,
  listingBelow,
  nothingThere,
  objectFacts,
  unlessMissing,
} from '../lib/object-store.js';
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
import { digestsOfHeaders, pinOfHeaders } from './answers.js';
import type { S3Config } from './config.js';
import { MAX_CONNECTIONS, S3Connection } from './connection.js';
import type { S3Request } from './connection.js';
import { notS3 } from './errors.js';
import { hasKeys, listKeys } from './listing.js';
import type { Listing } from './listing.js';

/** What every S3 service can do. */
export const S3_CAPABILITIES: StoreCapabilities = {
  canList: true,
  ranges: 'yes',
  pin: 'strong',
  knowsSizes: true,
  nativeDigests: ['sha256', 'sha1', 'crc64nvme', 'crc32c', 'crc32', 'md5'],
  listsInOrder: true,
  maxConnections: MAX_CONNECTIONS,
};

/** Asks for the checksums that were stored with the object. */
const WITH_CHECKSUMS: Headers = { 'x-amz-checksum-mode': 'ENABLED' };

/** See `Store` for the methods. */
export class S3Store implements Store {
  readonly name = 's3';
  readonly root: string;
  readonly capabilities = S3_CAPABILITIES;
  private readonly connection: S3Connection;

  constructor(
    private readonly config: S3Config,
    address: StoreAddress,
  ) {
    this.root = config.root;
    this.connection = new S3Connection(config, address);
  }

  async stat(path: string, options: CallOptions = {}): Promise<ObjectEntry> {
    options.signal?.throwIfAborted();
    const clean = withoutSlash(path);
    const key = keyOf(this.config.rootKey, clean);
    const isFolder = key === '' || clean !== path || (path === '' && this.config.isFolder);
    if (!isFolder) {
      const file = await this.describe(clean, key, options);
      if (file !== undefined) return file;
    }
    const listing = this.listing(clean, { ...options, recursive: true }, 'stat');
    // A bucket may be empty; a folder without anything, not even an object of its own, is missing.
    if (!(await hasKeys(this.connection, listing)) && key !== '') throw this.missing(listing);
    return { path: clean, kind: 'directory' };
  }

  async *list(prefix: string, options: ListOptions): AsyncGenerator<ObjectEntry, void, undefined> {
    options.signal?.throwIfAborted();
    const listing = this.listing(withoutSlash(prefix), options, 'list');
    let isEmpty = true;
    for await (const entry of listKeys(this.connection, listing)) {
      isEmpty = false;
      if ('path' in entry) yield entry;
    }
    if (isEmpty && listing.keyPrefix !== '') throw this.missing(listing);
  }

  async openRead(path: string, options: ReadOptions = {}): Promise<OpenObject> {
    options.signal?.throwIfAborted();
    const { offsetBytes = 0, lengthBytes, signal } = options;
    const isPart = offsetBytes > 0 || lengthBytes !== undefined;
    const request: S3Request = {
      method: 'GET',
      key: fileKeyOf('s3', this.config, path),
      headers: isPart ? {} : WITH_CHECKSUMS,
      operation: 'openRead',
      path,
      ...(signal === undefined ? {} : { signal }),
    };
    const opened = await this.connection.attempt(async (refusal) => {
      const url = await this.connection.urlOf(request);
      return openRanged(this.connection.http, {
        ...options,
        url,
        store: 's3',
        path,
        headers: (own) => this.connection.sign(request, url, own),
        pinOf: pinOfHeaders,
        digestsOf: digestsOfHeaders,
        errorOf: (answer) => refusal(answer, request),
        acceptsEncoding: true,
        redirects: 'never',
      });
    });
    if (!isS3Answer(opened.headers)) {
      opened.body.destroy();
      throw notS3(this.connection.asked(request, opened.url));
    }
    return opened;
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /** The file of a key; undefined where there is none. */
  private async describe(
    path: string,
    key: string,
    { signal }: CallOptions,
  ): Promise<ObjectEntry | undefined> {
    const request: S3Request = {
      method: 'HEAD',
      key,
      headers: WITH_CHECKSUMS,
      operation: 'stat',
      path,
      ...(signal === undefined ? {} : { signal }),
    };
    const answer = await unlessMissing(this.connection.send(request));
    if (answer === undefined) return undefined;
    answer.body.destroy();
    if (!isS3Answer(answer.headers)) throw notS3(this.connection.asked(request, answer.url));
    return { path, kind: 'file', ...factsOf(answer.headers) };
  }

  private listing(path: string, options: ListOptions, operation: string): Listing {
    const { rootKey } = this.config;
    const { recursive } = options;
    return { ...listingBelow('s3', rootKey, path, operation, options), recursive };
  }

  private missing(listing: Listing): WaybillError {
    return nothingThere(`s3://${this.config.bucket}`, listing);
  }
}

function factsOf(headers: Headers): ObjectFacts {
  const sizeBytes = contentLengthOf(headers);
  const modifiedAt = isoDateOf(headers['last-modified']);
  const pin = pinOfHeaders(headers, sizeBytes);
  const digests = digestsOfHeaders(headers, true);
  return objectFacts({ sizeBytes, modifiedAt, pin, digests });
}

/** A web page, such as MinIO's console, answers 200 to any path: it would be taken for a model. */
function isS3Answer(headers: Headers): boolean {
  return headers['etag'] !== undefined || headers['x-amz-request-id'] !== undefined;
}
