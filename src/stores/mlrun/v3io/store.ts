/**
 * Files of Iguazio's platform through its web API: objects by GET with ranges, folders by a listing in the manner of S3. There
 * is no server to be had for tests: what is asked, and what answers mean, is as the platform's own client (v3io 0.5.23) has it.
 */
import { redactUri } from '../../../model/artifact-uri.js';
import type { WaybillError } from '../../../model/errors.js';
import type { ObjectEntry } from '../../../model/object-entry.js';
import { createHttpClient } from '../../lib/http-client.js';
import type { HttpAnswer, HttpClient } from '../../lib/http-client.js';
import { contentLengthOf, isoDateOf, pinOf } from '../../lib/http-headers.js';
import { listObjects } from '../../lib/list-objects.js';
import type { ObjectFacts, ObjectPage } from '../../lib/list-objects.js';
import { encodeKey, encodeStrictly, keyOf, prefixOf, withoutSlash } from '../../lib/object-keys.js';
import { listingBelow, objectFacts } from '../../lib/object-store.js';
import { openRanged } from '../../lib/open-ranged.js';
import type {
  CallOptions,
  ListOptions,
  OpenObject,
  ReadOptions,
  Store,
  StoreAddress,
  StoreCapabilities,
} from '../../store.js';
import { mlrunError } from '../errors.js';
import { parseListPage } from './list-page.js';
import type { ListedFile } from './list-page.js';
import { API_SETTING, apiOf, parseV3io } from './place.js';
import type { V3ioPlace } from './place.js';

const CAPABILITIES: StoreCapabilities = {
  canList: true,
  ranges: 'yes',
  pin: 'unknown',
  knowsSizes: true,
  nativeDigests: [],
  listsInOrder: false,
  maxConnections: 16,
};

const MAX_PAGE_BYTES = 32 * 1024 * 1024;

/** The secret that shows who asks. */
export const KEY_VARIABLE = 'V3IO_ACCESS_KEY';

/** Opens. A malformed address is WB_USAGE, no web API WB_CONFIG_INVALID; no request is made. */
export function openV3io(address: StoreAddress): Store {
  return new V3ioStore(parseV3io(address.uri, address.settings), address);
}

class V3ioStore implements Store {
  readonly name = 'mlrun';
  readonly root: string;
  readonly capabilities = CAPABILITIES;
  private readonly client: HttpClient;
  private readonly headers: Readonly<Record<string, string>>;

  constructor(
    private readonly place: V3ioPlace,
    { settings, secrets, pace }: StoreAddress,
  ) {
    this.root = redactUri(place.uri);
    const key = secrets[KEY_VARIABLE];
    // A record may name any host: the key goes to the configured one alone (rule 4).
    const isOwn = place.api === apiOf(settings);
    this.headers = key && isOwn ? { 'x-v3io-session-key': key } : {};
    this.client = createHttpClient({
      store: 'mlrun',
      settings,
      secrets,
      maxConnections: CAPABILITIES.maxConnections,
      profile: 'mlrun',
      identityOrigins: isOwn ? [place.api] : [],
      pace,
    });
  }

  async stat(path: string, options: CallOptions = {}): Promise<ObjectEntry> {
    const own = withoutSlash(path);
    const isFolder = own !== path || this.place.uri.endsWith('/');
    const key = keyOf(this.place.rootKey, own);
    if (key !== '' && !(isFolder && own === '')) {
      const found = await this.describe(key, own, options);
      if (found !== undefined) return found;
    }
    for await (const _ of this.level(own, 'stat', options)) break;
    return { path: own, kind: 'directory' };
  }

  async *list(prefix: string, options: ListOptions): AsyncIterable<ObjectEntry> {
    options.signal?.throwIfAborted();
    const waiting = [withoutSlash(prefix)];
    for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
      for await (const entry of this.level(folder, 'list', options)) {
        options.signal?.throwIfAborted();
        yield entry;
        if (options.recursive && entry.kind === 'directory') waiting.push(entry.path);
      }
    }
  }

  async openRead(path: string, options: ReadOptions = {}): Promise<OpenObject> {
    options.signal?.throwIfAborted();
    return openRanged(this.client, {
      ...options,
      url: this.urlOf(keyOf(this.place.rootKey, path)),
      store: 'mlrun',
      path,
      headers: this.headers,
      errorOf: (answer) => Promise.resolve(this.refusal(answer, 'openRead', path)),
      acceptsEncoding: true,
      redirects: 'never',
    });
  }

  async close(): Promise<void> {
    await this.client.close();
  }

  /** A file; undefined where there is none of that name. */
  private async describe(
    key: string,
    path: string,
    { signal }: CallOptions,
  ): Promise<ObjectEntry | undefined> {
    const request = {
      method: 'HEAD',
      url: this.urlOf(key),
      headers: this.headers,
      operation: 'stat',
      path,
      redirects: 'never' as const,
      ...(signal === undefined ? {} : { signal }),
    };
    const answer = await this.client.request(request);
    answer.body.on('error', () => undefined).destroy();
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) {
      throw this.refusal(answer, 'stat', path) ?? (await this.client.errorOf(answer, request));
    }
    const sizeBytes = contentLengthOf(answer.headers);
    const modifiedAt = isoDateOf(answer.headers['last-modified']);
    const pin = pinOf(answer.headers, sizeBytes);
    return { path, kind: 'file', ...objectFacts({ sizeBytes, modifiedAt, pin }) };
  }

  /** What lies in one folder. Nothing is WB_NOT_FOUND: an empty folder cannot be told from a missing one. */
  private async *level(
    path: string,
    operation: string,
    options: CallOptions,
  ): AsyncGenerator<ObjectEntry, void, undefined> {
    const listing = listingBelow('mlrun', this.place.rootKey, path, operation, options);
    const prefix = prefixOf(this.place.rootKey, path);
    let count = 0;
    const facts = ({ key: _, ...known }: ListedFile): ObjectFacts => known;
    const ask = (
      marker: string | undefined,
      signal: AbortSignal,
    ): Promise<ObjectPage<ListedFile>> => this.page({ prefix, marker, operation, path, signal });
    for await (const listed of listObjects(listing, ask, facts)) {
      count += 1;
      if (!('isMarker' in listed)) yield listed;
    }
    if (count > 0) return;
    const where = path === '' ? this.root : `${path} below ${this.root}`;
    throw mlrunError('WB_NOT_FOUND', `there is no file or folder ${where}`, {
      operation,
      path,
      ...(path === '' ? { scope: 'source' as const } : {}),
    });
  }

  private async page(asked: {
    readonly prefix: string;
    readonly marker: string | undefined;
    readonly operation: string;
    readonly path: string;
    readonly signal: AbortSignal;
  }): Promise<ObjectPage<ListedFile>> {
    const { prefix, marker, operation, path, signal } = asked;
    const query = [
      `prefix=${encodeStrictly(prefix)}`,
      // Without it sizes and times are not said.
      'prefix-info=1',
      ...(marker === undefined ? [] : [`marker=${encodeStrictly(marker)}`]),
    ];
    const url = `${this.place.api}/${encodeStrictly(this.place.container)}?${query.join('&')}`;
    const request = { url, headers: this.headers, operation, path, signal };
    const answer = await this.client.request({ ...request, redirects: 'never' });
    if (answer.status !== 200) {
      throw this.refusal(answer, operation, path) ?? (await this.client.errorOf(answer, request));
    }
    const page = parseListPage(await this.client.readText(answer, request, MAX_PAGE_BYTES));
    if (page !== undefined) return page;
    const message = `${this.place.api} does not answer as a container of v3io: check ${API_SETTING}`;
    throw mlrunError('WB_UNAVAILABLE', message, { operation, path });
  }

  private urlOf(key: string): string {
    const { api, container } = this.place;
    return `${api}/${encodeStrictly(container)}/${encodeKey(key, 'mlrun')}`;
  }

  /** What is said of a sign-in; anything else means what it means everywhere. */
  private refusal(
    { status }: HttpAnswer,
    operation: string,
    path: string,
  ): WaybillError | undefined {
    if (status !== 401 && status !== 403) return undefined;
    const how =
      this.headers['x-v3io-session-key'] === undefined
        ? `no key goes there: set ${KEY_VARIABLE} and ${API_SETTING}`
        : `it does not accept ${KEY_VARIABLE}`;
    const code = status === 401 ? 'WB_UNAUTHENTICATED' : 'WB_PERMISSION_DENIED';
    const message = `${this.place.api} refuses ${this.root} (${status}): ${how}`;
    return mlrunError(code, message, { operation, path, scope: 'source' });
  }
}
