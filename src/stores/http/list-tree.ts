/** A tree that a list of files names: a SHA256SUMS or a Waybill manifest, with the files beside it. */
import { redactUri } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import { compareByBytes } from '../../model/object-path.js';
import { collectSums, decodeManifest } from '../../manifest/index.js';
import { endingOf } from '../lib/http-headers.js';
import type { CallOptions, ListOptions } from '../store.js';
import type { HttpAddress } from './address.js';
import { urlBelow } from './address.js';
import { describeFile, isHtml, openPage, type HttpSource } from './requests.js';
import type { HttpTree } from './tree.js';

/** A list is held in memory while it is walked. */
const MAX_FILES = 2_000_000;

/** Files by path, in byte order of the path. */
type Listed = ReadonlyMap<string, ObjectEntry>;

/** Every file of the list carries its SHA-256, and those of a manifest their size. */
export class ListTree implements HttpTree {
  readonly knowsSizes: boolean;
  private listed: Promise<Listed> | undefined;

  constructor(
    private readonly source: HttpSource,
    private readonly address: HttpAddress,
  ) {
    this.knowsSizes = address.url.pathname.endsWith('.ndjson');
  }

  async stat(path: string, { signal }: CallOptions): Promise<ObjectEntry> {
    const listed = await this.load('stat', signal);
    const entry = listed.get(path);
    if (!entry) {
      const isFolder = path === '' || [...listed.keys()].some((one) => one.startsWith(`${path}/`));
      if (isFolder) return { path, kind: 'directory' };
      throw this.missing(path, 'stat');
    }
    const url = urlBelow(this.address.folder, path, 'stat');
    const found = await describeFile(this.source, { url, path, operation: 'stat', signal });
    return { ...entry, ...found, digests: { ...found.digests, ...entry.digests } };
  }

  async *list(prefix: string, { recursive, signal }: ListOptions): AsyncGenerator<ObjectEntry> {
    const listed = await this.load('list', signal);
    const start = prefix === '' ? '' : `${prefix}/`;
    const below = [...listed.values()].filter(({ path }) => path.startsWith(start));
    if (below.length === 0 && prefix !== '') throw this.missing(prefix, 'list');
    for (const entry of recursive ? below : oneLevel(below, start.length)) {
      signal?.throwIfAborted();
      yield entry;
    }
  }

  async lookUp(path: string, { signal }: CallOptions): Promise<ObjectEntry> {
    const entry = (await this.load('openRead', signal)).get(path);
    if (entry) return entry;
    throw this.missing(path, 'openRead');
  }

  private load(
    operation: 'stat' | 'list' | 'openRead',
    signal: AbortSignal | undefined,
  ): Promise<Listed> {
    signal?.throwIfAborted();
    this.listed ??= this.read(operation, signal).catch((error: unknown) => {
      this.listed = undefined;
      throw error;
    });
    return this.listed;
  }

  private async read(
    operation: 'stat' | 'list' | 'openRead',
    signal: AbortSignal | undefined,
  ): Promise<Listed> {
    const { url } = this.address;
    const answer = await openPage(this.source, { url, path: '', operation, signal });
    const body = answer.body as AsyncIterable<Buffer>;
    const name = redactUri(url.href);
    if (isHtml(answer.headers)) {
      answer.body.destroy();
      const message = `${name} answered with an HTML page where a list of files was expected (a sign-in page?)`;
      throw new WaybillError('WB_SIGN_IN_PAGE', message, { operation, store: 'http', path: '' });
    }
    if (endingOf(answer.headers) === 'close') {
      answer.body.destroy();
      const message = `${name} does not say how long it is: a cut list would pass for a whole one`;
      throw new WaybillError('WB_UNPROVEN_LENGTH', message, { operation, store: 'http', path: '' });
    }
    try {
      const files = this.knowsSizes ? await readManifest(body, name) : await readSums(body, name);
      return new Map(
        files.sort((a, b) => compareByBytes(a.path, b.path)).map((one) => [one.path, one]),
      );
    } catch (error) {
      if (!(error instanceof WaybillError) || error.operation !== 'parse') throw error;
      const message = `${error.message} (to fetch the list itself, write ? at the end of its address)`;
      throw new WaybillError('WB_UNSUPPORTED', message, {
        operation,
        store: 'http',
        path: '',
        scope: 'source',
        cause: error,
      });
    }
  }

  private missing(path: string, operation: string): WaybillError {
    const message = `${redactUri(this.address.url.href)} does not list ${JSON.stringify(path)}`;
    return new WaybillError('WB_NOT_FOUND', message, { operation, store: 'http', path });
  }
}

function oneLevel(entries: readonly ObjectEntry[], startLength: number): ObjectEntry[] {
  const found = new Map<string, ObjectEntry>();
  for (const entry of entries) {
    const slash = entry.path.indexOf('/', startLength);
    const path = slash < 0 ? entry.path : entry.path.slice(0, slash);
    if (!found.has(path)) found.set(path, slash < 0 ? entry : { path, kind: 'directory' });
  }
  return [...found.values()].sort((a, b) => compareByBytes(a.path, b.path));
}

async function readSums(body: AsyncIterable<Buffer>, name: string): Promise<ObjectEntry[]> {
  const sums = await collectSums(body, { name, maxEntries: MAX_FILES });
  return [...sums].map(([path, sha256]) => ({ path, kind: 'file', digests: { sha256 } }));
}

async function readManifest(body: AsyncIterable<Buffer>, name: string): Promise<ObjectEntry[]> {
  const files: ObjectEntry[] = [];
  for await (const one of decodeManifest(body, { name })) {
    if (one.isStale) continue;
    files.push({
      path: one.path,
      kind: 'file',
      sizeBytes: one.sizeBytes,
      digests: { sha256: one.sha256 },
      ...(one.isExecutable === undefined ? {} : { isExecutable: one.isExecutable }),
    });
    if (files.length > MAX_FILES) {
      throw new WaybillError('WB_LIMIT_EXCEEDED', `${name} lists more than ${MAX_FILES} files`, {
        operation: 'list',
        store: 'http',
      });
    }
  }
  return files;
}
