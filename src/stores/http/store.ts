/** Files behind HTTP: one, those of a directory index, or those of a list. */
import { WaybillError } from '../../model/errors.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import type {
  CallOptions,
  ListOptions,
  OpenObject,
  ReadOptions,
  Store,
  StoreCapabilities,
} from '../store.js';
import { urlBelow, type HttpAddress } from './address.js';
import { describeFile, openFile, type HttpSource } from './requests.js';
import type { HttpTree } from './tree.js';

/** More would be impolite to a server that nobody tuned for downloads; how many it bears up to here is found out. */
export const MAX_CONNECTIONS = 32;

/** Reads over HTTP; holds connections until it is closed. */
export class HttpStore implements Store {
  readonly name = 'http';
  readonly capabilities: StoreCapabilities;

  /**
   * @param root the address without secrets
   * @param tree absent for a single file
   */
  constructor(
    readonly root: string,
    private readonly source: HttpSource,
    private readonly address: HttpAddress,
    private readonly tree: HttpTree | undefined,
  ) {
    this.capabilities = {
      canList: tree !== undefined,
      ranges: 'unknown',
      pin: 'unknown',
      knowsSizes: tree?.knowsSizes ?? false,
      nativeDigests: ['sha256', 'sha1', 'md5', 'crc32c'],
      listsInOrder: true,
      describesCheaply: true,
      maxConnections: MAX_CONNECTIONS,
    };
  }

  async stat(path: string, options: CallOptions = {}): Promise<ObjectEntry> {
    const { signal } = options;
    signal?.throwIfAborted();
    const trimmed = path.replace(/\/+$/, '');
    if (this.tree) return this.tree.stat(trimmed, options);
    const url = this.urlOf(trimmed, 'stat');
    return describeFile(this.source, { url, path: trimmed, operation: 'stat', signal });
  }

  async *list(prefix: string, options: ListOptions): AsyncGenerator<ObjectEntry> {
    options.signal?.throwIfAborted();
    if (!this.tree) {
      const message = `${this.root} is a single file: end the address with / to list a folder`;
      throw new WaybillError('WB_UNSUPPORTED', message, { operation: 'list', store: 'http' });
    }
    yield* this.tree.list(prefix.replace(/\/+$/, ''), options);
  }

  async openRead(path: string, options: ReadOptions = {}): Promise<OpenObject> {
    const { signal } = options;
    signal?.throwIfAborted();
    // '' of a list is the list itself: what `--expect URI` reads.
    const isList = path === '' && this.address.kind === 'list';
    const entry = isList ? undefined : await this.tree?.lookUp(path, options);
    const url = isList ? this.address.url : this.urlOf(path, 'openRead');
    const asked = { url, path, operation: 'openRead' as const, signal };
    const known = entry?.digests;
    const digestsOf = known === undefined ? {} : { digestsOf: () => known };
    return openFile(this.source, asked, { ...options, ...digestsOf });
  }

  async close(): Promise<void> {
    await this.source.client.close();
  }

  private urlOf(path: string, operation: string): URL {
    if (this.tree) return urlBelow(this.address.folder, path, operation);
    if (path === '') return this.address.url;
    const message = `${this.root} is a single file and holds no ${JSON.stringify(path)}`;
    throw new WaybillError('WB_NOT_FOUND', message, { operation, store: 'http', path });
  }
}
