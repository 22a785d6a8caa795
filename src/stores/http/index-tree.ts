/** A tree that is known from directory indexes, page by page. */
import { createHash } from 'node:crypto';
import { redactUri } from '../../model/artifact-uri.js';
import { WaybillError, type ErrorCode } from '../../model/errors.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import { guardPath, MAX_DEPTH } from '../../model/object-path.js';
import { askAgain } from '../lib/ask-again.js';
import { endingOf } from '../lib/http-headers.js';
import { walkOrder } from '../lib/path-order.js';
import type { CallOptions, ListOptions } from '../store.js';
import { urlBelow } from './address.js';
import { parseHtmlIndex, parseJsonIndex, type IndexEntry } from './index-page.js';
import { describeFile, isHtml, readPage, type HttpSource } from './requests.js';
import type { HttpTree } from './tree.js';

/** About 400,000 lines of nginx. */
const MAX_PAGE_BYTES = 64 * 1024 * 1024;

/** Names that one listing may have before it counts as endless. */
const MAX_ENTRIES = 5_000_000;

/** As many folders, one in the other, may look exactly alike; more is a folder that holds itself. */
const MAX_EQUAL_ANCESTORS = 8;

/** Pages of sibling folders that are asked for before their turn: a listing must not wait a round trip for each. */
const MAX_READ_AHEAD = 4;

/** The index of one folder. */
interface IndexPage {
  readonly entries: readonly IndexEntry[];
  /** Equal for pages with equal entries. */
  readonly fingerprint: string;
}

/** What a listing keeps from folder to folder. */
interface Walk {
  readonly options: ListOptions;
  entries: number;
}

/** Reads indexes of nginx, Apache and Python's http.server. */
export class IndexTree implements HttpTree {
  readonly knowsSizes = false;

  constructor(
    private readonly source: HttpSource,
    private readonly folder: URL,
  ) {}

  async stat(path: string, { signal }: CallOptions): Promise<ObjectEntry> {
    if (path !== '') {
      const url = urlBelow(this.folder, path, 'stat');
      return describeFile(this.source, { url, path, operation: 'stat', signal });
    }
    await this.readIndex('', 'stat', signal);
    return { path: '', kind: 'directory' };
  }

  async *list(prefix: string, options: ListOptions): AsyncGenerator<ObjectEntry> {
    const page = await askAgain(options, () => this.readIndex(prefix, 'list', options.signal));
    yield* this.walk(prefix, { options, entries: 0 }, [], page);
  }

  async lookUp(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  private async *walk(
    path: string,
    walk: Walk,
    ancestors: readonly string[],
    { entries, fingerprint }: IndexPage,
  ): AsyncGenerator<ObjectEntry> {
    const { recursive, signal } = walk.options;
    const equalAncestors = ancestors.filter((one) => one === fingerprint).length;
    if (entries.length > 0 && equalAncestors >= MAX_EQUAL_ANCESTORS) {
      throw this.failure('WB_LIMIT_EXCEEDED', path, 'lists itself over and over');
    }
    if (ancestors.length >= MAX_DEPTH) {
      throw this.failure('WB_LIMIT_EXCEEDED', path, `is nested deeper than ${MAX_DEPTH} folders`);
    }
    walk.entries += entries.length;
    if (walk.entries > MAX_ENTRIES) {
      throw this.failure('WB_LIMIT_EXCEEDED', '', `lists more than ${MAX_ENTRIES} names`);
    }
    const items = walkOrder(entries, isEnterable, recursive);
    const folders = items.filter(({ isContent }) => isContent).map(({ name }) => name);
    const pages = new Map<string, Promise<IndexPage>>();
    for (const { name, isContent, of } of items) {
      signal?.throwIfAborted();
      const below = path === '' ? name : `${path}/${name}`;
      if (!isContent) {
        yield entryOf(below, of);
        continue;
      }
      this.readAhead(pages, folders.splice(0, MAX_READ_AHEAD - pages.size), path, signal);
      const page = await askAgain(
        walk.options,
        () => this.readIndex(below, 'list', signal),
        pages.get(name),
      );
      pages.delete(name);
      yield* this.walk(below, walk, [...ancestors, fingerprint], page);
    }
  }

  private readAhead(
    pages: Map<string, Promise<IndexPage>>,
    names: readonly string[],
    path: string,
    signal: AbortSignal | undefined,
  ): void {
    for (const name of names) {
      const page = this.readIndex(path === '' ? name : `${path}/${name}`, 'list', signal);
      // Its failure is told when its turn comes; the listing may end before.
      page.catch(() => undefined);
      pages.set(name, page);
    }
  }

  private async readIndex(
    path: string,
    operation: 'stat' | 'list',
    signal: AbortSignal | undefined,
  ): Promise<IndexPage> {
    const url = path === '' ? this.folder : urlBelow(this.folder, path, operation);
    const page = new URL(url);
    if (!page.pathname.endsWith('/')) page.pathname += '/';
    const asked = { url: page, path, operation, signal };
    const { text, answer } = await readPage(this.source, asked, MAX_PAGE_BYTES);
    const isPage = isHtml(answer.headers);
    if (isPage && endingOf(answer.headers) === 'close' && !/<\/html>\s*$/i.test(text)) {
      throw this.failure('WB_UNAVAILABLE', path, 'broke off in the middle of its index', operation);
    }
    const entries = isPage ? parseHtmlIndex(text, answer.url) : parseJsonIndex(text);
    if (entries) {
      return {
        entries,
        fingerprint: createHash('sha1').update(JSON.stringify(entries)).digest('hex'),
      };
    }
    if (isPage) {
      const why = 'answered with a page that is no directory index (a sign-in page?)';
      throw this.failure('WB_SIGN_IN_PAGE', path, why, operation);
    }
    const type = (answer.headers['content-type'] ?? 'no type').slice(0, 60);
    const why = `answered with ${type}, no directory index: leave out the / for a single file`;
    throw this.failure('WB_UNSUPPORTED', path, why, operation);
  }

  private failure(code: ErrorCode, path: string, why: string, operation = 'list'): WaybillError {
    const url = path === '' ? this.folder : urlBelow(this.folder, path, operation);
    return new WaybillError(code, `${redactUri(url.href)} ${why}`, {
      operation,
      store: 'http',
      path,
    });
  }
}

/** A folder with a hostile name is listed as a file: the caller's guard refuses it, and nothing below it is asked for. */
function isEnterable({ name, isFolder }: IndexEntry): boolean {
  if (!isFolder || name.includes('/')) return false;
  try {
    guardPath(name);
    return true;
  } catch {
    return false;
  }
}

function entryOf(path: string, found: IndexEntry): ObjectEntry {
  const { sizeBytes, modifiedAt } = found;
  if (found.isSpecial === true) return { path, kind: 'special', special: 'other' };
  return {
    path,
    kind: isEnterable(found) ? 'directory' : 'file',
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
    ...(modifiedAt === undefined ? {} : { modifiedAt }),
  };
}
