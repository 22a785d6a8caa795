/** The Azure Blob store: a container, or what lies below a key of it. */
import type { ObjectEntry } from '../../model/object-entry.js';
import type { WaybillError } from '../../model/errors.js';
import { listObjects } from '../lib/list-objects.js';
import type { Listed, ObjectFacts, ObjectListing, ObjectPage } from '../lib/list-objects.js';
import { keyOf, withoutSlash } from '../lib/object-keys.js';
import {
  fileKeyOf,
  listingBelow,
  nothingThere,
  objectFacts,
  unlessMissing,
} from '../lib/object-store.js';
import { openRanged } from '../lib/open-ranged.js';
import { cutListing } from '../lib/service-errors.js';
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
  azurePinOf,
  digestsOfHeaders,
  digestsOfMd5,
  factsOfHeaders,
  isAzureAnswer,
  isFolderMarker,
  pinOfHeaders,
} from './answers.js';
import type { AzureConfig } from './config.js';
import { AzureConnection, MAX_CONNECTIONS } from './connection.js';
import type { AzureRequest } from './connection.js';
import { notAzure } from './errors.js';
import { parseListPage } from './list-page.js';
import type { ListedBlob } from './list-page.js';

/** What Azure's blob service can do. */
export const AZURE_CAPABILITIES: StoreCapabilities = {
  canList: true,
  ranges: 'yes',
  pin: 'strong',
  knowsSizes: true,
  nativeDigests: ['md5'],
  // A hierarchical namespace lists folder by folder.
  listsInOrder: false,
  maxConnections: MAX_CONNECTIONS,
};

/** More than 5,000 names of 1,024 characters, with their properties and metadata, can take. */
const MAX_PAGE_BYTES = 128 * 1024 * 1024;

/** See `Store` for the methods. */
export class AzureBlobStore implements Store {
  readonly name = 'azure-blob';
  readonly root: string;
  readonly capabilities = AZURE_CAPABILITIES;
  private readonly connection: AzureConnection;

  constructor(
    private readonly config: AzureConfig,
    address: StoreAddress,
  ) {
    this.root = config.root;
    this.connection = new AzureConnection(config, address);
  }

  async stat(path: string, options: CallOptions = {}): Promise<ObjectEntry> {
    options.signal?.throwIfAborted();
    const clean = withoutSlash(path);
    const key = keyOf(this.config.rootKey, clean);
    const isFolder = key === '' || clean !== path || (path === '' && this.config.isFolder);
    if (!isFolder) {
      const found = await this.describe(clean, key, options);
      if (found !== undefined) return found;
    }
    const listing = this.listing(clean, options, 'stat');
    // A container may be empty; a folder without anything is missing.
    for await (const _ of this.entries(listing, true, 1)) return { path: clean, kind: 'directory' };
    if (key === '' || (await this.isMarkedFolder(clean, key, options))) {
      return { path: clean, kind: 'directory' };
    }
    throw this.missing(listing);
  }

  async *list(prefix: string, options: ListOptions): AsyncGenerator<ObjectEntry, void, undefined> {
    options.signal?.throwIfAborted();
    const listing = this.listing(withoutSlash(prefix), options, 'list');
    // A marker and the prefix of the same folder: two lines for one.
    const folders = new Set<string>();
    let isEmpty = true;
    for await (const entry of this.entries(listing, options.recursive)) {
      isEmpty = false;
      if (!('path' in entry)) continue;
      if (entry.kind === 'directory' && !options.recursive) {
        if (folders.has(entry.path)) continue;
        folders.add(entry.path);
      }
      yield entry;
    }
    if (!isEmpty || listing.keyPrefix === '') return;
    const key = listing.keyPrefix.slice(0, -1);
    if (!(await this.isMarkedFolder(listing.path, key, options))) throw this.missing(listing);
  }

  async openRead(path: string, options: ReadOptions = {}): Promise<OpenObject> {
    options.signal?.throwIfAborted();
    const { signal } = options;
    const request: AzureRequest = {
      method: 'GET',
      key: fileKeyOf('azure-blob', this.config, path),
      operation: 'openRead',
      path,
      ...(signal === undefined ? {} : { signal }),
    };
    const url = this.connection.urlOf(request);
    const opened = await this.connection.attempt((refusal) =>
      openRanged(this.connection.http, {
        ...options,
        url,
        store: 'azure-blob',
        path,
        headers: (own) => this.connection.sign(request, url, own),
        pinOf: pinOfHeaders,
        digestsOf: digestsOfHeaders,
        errorOf: (answer) => refusal(answer, request),
        acceptsEncoding: true,
        redirects: 'never',
      }),
    );
    if (!isAzureAnswer(opened.headers)) {
      opened.body.destroy();
      throw notAzure(this.connection.asked(request, opened.url));
    }
    return opened;
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  /** The blob of a key, or the folder that it stands for; undefined where there is none. */
  private async describe(
    path: string,
    key: string,
    { signal }: CallOptions,
  ): Promise<ObjectEntry | undefined> {
    const request: AzureRequest = {
      method: 'HEAD',
      key,
      operation: 'stat',
      path,
      ...(signal === undefined ? {} : { signal }),
    };
    const answer = await unlessMissing(this.connection.send(request));
    if (answer === undefined) return undefined;
    answer.body.destroy();
    const { headers } = answer;
    if (!isAzureAnswer(headers)) throw notAzure(this.connection.asked(request, answer.url));
    if (isFolderMarker(headers)) return { path, kind: 'directory' };
    return { path, kind: 'file', ...factsOfHeaders(headers) };
  }

  /** An empty folder of Hadoop's, or of a hierarchical namespace: nothing is below it, but a blob stands for it. */
  private async isMarkedFolder(path: string, key: string, options: CallOptions): Promise<boolean> {
    return (await this.describe(path, key, options))?.kind === 'directory';
  }

  private entries(
    listing: ObjectListing,
    recursive: boolean,
    pageSize?: number,
  ): AsyncGenerator<Listed, void, undefined> {
    return listObjects(
      listing,
      (token, signal) => this.askPage({ ...listing, signal }, recursive, pageSize, token),
      factsOf,
    );
  }

  private async askPage(
    { keyPrefix, path, operation, signal }: ObjectListing,
    recursive: boolean,
    pageSize: number | undefined,
    token: string | undefined,
  ): Promise<ObjectPage<ListedBlob>> {
    const request: AzureRequest = {
      method: 'GET',
      key: '',
      query: {
        restype: 'container',
        comp: 'list',
        // Says which blobs stand for folders.
        include: 'metadata',
        ...(keyPrefix === '' ? {} : { prefix: keyPrefix }),
        ...(recursive ? {} : { delimiter: '/' }),
        ...(pageSize === undefined ? {} : { maxresults: String(pageSize) }),
        ...(token === undefined ? {} : { marker: token }),
      },
      operation,
      path,
      ...(signal === undefined ? {} : { signal }),
    };
    const answer = await this.connection.send(request);
    const { url } = answer;
    const text = await this.connection.http.readText(
      answer,
      { url, operation, path },
      MAX_PAGE_BYTES,
    );
    const page = parseListPage(text);
    if (page === undefined) {
      const asked = this.connection.asked(request, url);
      throw cutListing(text, { start: '<?xml', headers: answer.headers }, asked) ?? notAzure(asked);
    }
    return page;
  }

  private listing(path: string, options: Partial<ListOptions>, operation: string): ObjectListing {
    return listingBelow('azure-blob', this.config.rootKey, path, operation, options);
  }

  private missing(listing: ObjectListing): WaybillError {
    return nothingThere(this.config.shownContainer, listing);
  }
}

function factsOf(blob: ListedBlob): ObjectFacts {
  const { sizeBytes, modifiedAt, etag, contentMd5 } = blob;
  const pin = azurePinOf(etag, modifiedAt, sizeBytes);
  const digests = digestsOfMd5(contentMd5);
  return objectFacts({ sizeBytes, modifiedAt, pin, digests });
}
