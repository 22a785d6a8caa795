/**
 * Files that MLRun's API server reads for us (`/projects/{p}/files`). It takes a part of a file into memory for each request, says
 * nothing of its version with it, and lists object stores only: what it says of a file before and after is compared instead.
 */
import { Readable } from 'node:stream';
import { redactUri } from '../../model/artifact-uri.js';
import type { ObjectEntry, Pin } from '../../model/object-entry.js';
import { askAgain } from '../lib/ask-again.js';
import { joinPath } from '../lib/join-path.js';
import { endingOf, isoDateOf } from '../lib/http-headers.js';
import type {
  CallOptions,
  ListOptions,
  OpenObject,
  ReadOptions,
  Store,
  StoreCapabilities,
} from '../store.js';
import { errorOfAnswer, isUnauthorizedPath, mlrunError, wordsOf } from './errors.js';
import type { FailedAnswer } from './errors.js';
import { howToReach } from './how-to-reach.js';
import { MAX_CONNECTIONS } from './rest.js';
import type { MlrunRest, Question } from './rest.js';

/** What the server is asked to take into its memory at once. */
const CHUNK_BYTES = 16 * 1024 * 1024;

const CAPABILITIES: StoreCapabilities = {
  canList: true,
  ranges: 'yes',
  pin: 'weak',
  knowsSizes: true,
  nativeDigests: [],
  listsInOrder: false,
  maxConnections: MAX_CONNECTIONS,
};

/** The words of boto3, azure and fsspec. */
const MISSING_INSIDE_500 = /\(404\)|NoSuchKey|BlobNotFound|FileNotFoundError/;

/** What the server says of a file. */
interface FileStat {
  readonly sizeBytes: number;
  readonly modifiedAt?: string;
  readonly pin?: Pin;
  readonly answeredAt?: string;
}

/** The store of one place: a file, or what lies below a folder. */
export class ProxiedStore implements Store {
  readonly name = 'mlrun';
  readonly root: string;
  readonly capabilities = CAPABILITIES;

  /** @param place as MLRun says it: with a slash at its end it is a folder */
  constructor(
    private readonly rest: MlrunRest,
    private readonly project: string,
    private readonly place: string,
  ) {
    this.root = redactUri(place);
  }

  async stat(path: string, options: CallOptions = {}): Promise<ObjectEntry> {
    if (this.isFolder(path)) return { path, kind: 'directory' };
    const { answeredAt: _, ...facts } = await this.look(path, 'stat', options);
    return { path, kind: 'file', ...facts };
  }

  async *list(prefix: string, options: ListOptions): AsyncIterable<ObjectEntry> {
    const names = await askAgain(options, () => this.namesBelow(prefix, options));
    const seen = new Set<string>();
    for (const name of names) {
      options.signal?.throwIfAborted();
      const path = joinPath(prefix, name);
      const [first = ''] = name.split('/');
      if (!options.recursive && first !== name) {
        if (!seen.has(first)) yield { path: joinPath(prefix, first), kind: 'directory' };
        seen.add(first);
        continue;
      }
      yield await askAgain(options, () => this.stat(path, options));
    }
  }

  async openRead(path: string, options: ReadOptions = {}): Promise<OpenObject> {
    const { offsetBytes = 0, pin } = options;
    const before = await this.look(path, 'openRead', options);
    const { sizeBytes, answeredAt } = before;
    if (pin !== undefined && before.pin?.value !== pin.value) throw this.changed(path);
    if (offsetBytes > 0 && offsetBytes >= sizeBytes) {
      const message = `${path || this.root} ends at byte ${sizeBytes}, and byte ${offsetBytes} was asked for`;
      throw mlrunError('WB_SIZE_MISMATCH', message, { operation: 'openRead', path });
    }
    const end = Math.min(sizeBytes, offsetBytes + (options.lengthBytes ?? Infinity));
    const body = Readable.from(this.chunks(path, { offsetBytes, end, before }, options), {
      objectMode: false,
      highWaterMark: 1024 * 1024,
    });
    return {
      body,
      offsetBytes,
      lengthBytes: end - offsetBytes,
      sizeBytes,
      ending: 'length',
      ...(before.pin === undefined ? {} : { pin: before.pin }),
      ...(before.modifiedAt === undefined ? {} : { modifiedAt: before.modifiedAt }),
      ...(answeredAt === undefined ? {} : { answeredAt }),
    };
  }

  /** The client is the caller's. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  private async namesBelow(prefix: string, options: CallOptions): Promise<string[]> {
    const folder = `${this.targetOf(prefix).replace(/\/+$/, '')}/`;
    const question = this.question('list', prefix, options);
    const about = { operation: 'list', path: prefix, scope: 'source' as const };
    const result = await this.rest.tryGet(this.route('files'), { path: folder }, question);
    if (result.refused !== undefined) {
      const said = wordsOf(result.refused);
      // Of a folder on the server's disk it says that it is one, and no more.
      if (!/IsADirectory/.test(said)) throw this.refused(result.refused, question);
      const message = `MLRun's API server does not list folders of its disk (${this.root}): ${howToReach(this.place)}`;
      throw mlrunError('WB_UNSUPPORTED', message, about);
    }
    const names = listedNames(result.value);
    if (names !== undefined) return names;
    const message = `MLRun does not list ${redactUri(folder)}: what it answers is no list of names`;
    throw mlrunError('WB_UNAVAILABLE', message, { ...about, retryable: false });
  }

  private async *chunks(
    path: string,
    part: { readonly offsetBytes: number; readonly end: number; readonly before: FileStat },
    options: ReadOptions,
  ): AsyncGenerator<Buffer> {
    const question = this.question('openRead', path, options);
    for (let at = part.offsetBytes; at < part.end;) {
      const size = Math.min(CHUNK_BYTES, part.end - at);
      const query = { path: this.targetOf(path), size: String(size), offset: String(at) };
      const url = this.rest.urlOf(this.route('files'), query);
      const answer = await this.rest.open(url, { accept: '*/*' }, question);
      if (answer.status !== 200) throw this.refused(await this.rest.refusal(answer), question);
      let came = 0;
      for await (const chunk of answer.body as AsyncIterable<Buffer>) {
        came += chunk.length;
        if (came > size) break;
        yield chunk;
      }
      if (came !== size) {
        const message = `MLRun sent ${came > size ? 'more than' : came} of the ${size} bytes of ${path || this.root} that were asked for`;
        throw mlrunError('WB_SIZE_MISMATCH', message, { operation: 'read', path });
      }
      at += size;
    }
    const after = await this.look(path, 'openRead', options);
    const { before } = part;
    if (after.sizeBytes !== before.sizeBytes || after.pin?.value !== before.pin?.value) {
      throw this.changed(path);
    }
  }

  private async look(path: string, operation: string, options: CallOptions): Promise<FileStat> {
    options.signal?.throwIfAborted();
    const question = this.question(operation, path, options);
    const url = this.rest.urlOf(this.route('filestat'), { path: this.targetOf(path) });
    const answer = await this.rest.open(url, {}, question);
    if (answer.status !== 200) throw this.refused(await this.rest.refusal(answer), question);
    const text = await this.rest.client.readText(answer, { url, operation, path }, 65_536);
    const said = statOf(text);
    if (said === undefined) {
      const message = `MLRun does not say how large ${path || this.root} is`;
      // What broke off looks like what has ended where nothing else tells its end.
      const retryable = endingOf(answer.headers) === 'close';
      throw mlrunError('WB_UNAVAILABLE', message, { operation, path, retryable });
    }
    const answeredAt = isoDateOf(answer.headers['date']);
    return { ...said, ...(answeredAt === undefined ? {} : { answeredAt }) };
  }

  private isFolder(path: string): boolean {
    return path === '' && this.place.endsWith('/');
  }

  private targetOf(path: string): string {
    return path === '' ? this.place : `${this.place.replace(/\/+$/, '')}/${path}`;
  }

  private route(what: 'files' | 'filestat'): string {
    return `v1/projects/${encodeURIComponent(this.project)}/${what}`;
  }

  private refused(answer: FailedAnswer, question: Question): Error {
    const path = question.path ?? '';
    const about = { operation: question.operation, path };
    if (isUnauthorizedPath(answer)) {
      const message = `MLRun's API server passes nothing on from ${redactUri(this.targetOf(path))} (${wordsOf(answer)}): ${howToReach(this.place)}`;
      return mlrunError('WB_PERMISSION_DENIED', message, { ...about, scope: 'source' });
    }
    if (/IsADirectory/.test(answer.text)) {
      const message = `${redactUri(this.targetOf(path))} is a folder, not a file`;
      return mlrunError('WB_NOT_FOUND', message, about);
    }
    // What the storage behind the server says of a missing object, inside a status 500.
    if (answer.status === 500 && MISSING_INSIDE_500.test(answer.text)) {
      const message = `MLRun's storage has no ${redactUri(this.targetOf(path))} (${wordsOf(answer)})`;
      return mlrunError('WB_NOT_FOUND', message, about);
    }
    return errorOfAnswer(answer, question, this.rest.config);
  }

  private changed(path: string): Error {
    const message = `${path || this.root} changed since it was pinned`;
    return mlrunError('WB_SOURCE_CHANGED', message, { operation: 'openRead', path });
  }

  private question(operation: string, path: string, { signal }: CallOptions): Question {
    const what = `file ${redactUri(this.targetOf(path))}`;
    return { operation, what, path, ...(signal === undefined ? {} : { signal }) };
  }
}

/** Undefined: it is no list of names, which is not the same as an empty one. */
function listedNames(value: unknown): string[] | undefined {
  const list: unknown =
    typeof value === 'object' && value !== null ? Reflect.get(value, 'listdir') : undefined;
  if (!Array.isArray(list) || !list.every((one) => typeof one === 'string')) return undefined;
  return list
    .map((name) => name.replace(/^\/+/, ''))
    .filter((name) => name !== '' && !name.endsWith('/'));
}

/** Sizes are numbers; times are seconds, or text. */
function statOf(text: string): FileStat | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const size: unknown = Reflect.get(value, 'size');
  const modified: unknown = Reflect.get(value, 'modified');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined;
  if (typeof modified !== 'number' && typeof modified !== 'string') return { sizeBytes: size };
  const atMs = typeof modified === 'number' ? modified * 1_000 : Date.parse(modified);
  const isTime = Number.isFinite(atMs) && Math.abs(atMs) < 8.64e15;
  return {
    sizeBytes: size,
    pin: { strength: 'weak', value: `mtime:${modified}+${size}` },
    ...(isTime ? { modifiedAt: new Date(atMs).toISOString() } : {}),
  };
}
