/** What lies below a folder, in byte order, page by page, without ever holding a folder's names but for those that came early. */
import { compareByBytes, MAX_DEPTH } from '../../model/object-path.js';
import { WaybillError } from '../../model/errors.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import { askAgain } from '../lib/ask-again.js';
import { CircleDetector } from '../lib/list-objects.js';
import type { ListOptions } from '../store.js';
import { BatchAnswer, entryOf, ListAnswer, type FileStatus } from './answers.js';
import type { HdfsConnection } from './connection.js';
import { InByteOrder } from './in-byte-order.js';
import type { Located } from './mounts.js';
import type { HdfsRequest } from './request.js';

/** What a walk keeps from folder to folder. */
export interface Walk extends ListOptions {
  readonly connection: HdfsConnection;
  readonly locate: (path: string) => Located;
  /** Describes what a name of a mount table leads to. */
  readonly describe: (path: string) => Promise<ObjectEntry>;
  /** A file system of an old release lists in one go. */
  readonly listsWhole: Set<string>;
}

/** Yields what is in a folder of a file system. */
export async function* walkFolder(
  walk: Walk,
  path: string,
  located: Located,
  depth = 0,
): AsyncGenerator<ObjectEntry, void, undefined> {
  if (depth > MAX_DEPTH) {
    const message = `${path} is nested deeper than ${MAX_DEPTH} folders`;
    throw new WaybillError('WB_LIMIT_EXCEEDED', message, {
      operation: 'list',
      store: 'hdfs',
      path,
    });
  }
  const order = new InByteOrder<ObjectEntry>();
  for await (const entries of pagesOf(walk, path, located)) {
    for (const entry of entries) {
      const name = entry.path.slice(path === '' ? 0 : path.length + 1);
      yield* content(walk, order.before(name), depth);
      order.add(name, entry);
      // The content of a folder sorts apart from its name, behind `a.txt`.
      if (walk.recursive && entry.kind === 'directory') order.add(`${name}/`, entry);
    }
  }
  yield* content(walk, order.rest(), depth);
}

async function* content(
  walk: Walk,
  ready: Iterable<readonly [key: string, entry: ObjectEntry]>,
  depth: number,
): AsyncGenerator<ObjectEntry, void, undefined> {
  for (const [key, entry] of ready) {
    walk.signal?.throwIfAborted();
    if (key.endsWith('/')) {
      yield* walkFolder(walk, entry.path, walk.locate(entry.path), depth + 1);
    } else yield entry;
  }
}

async function* pagesOf(
  walk: Walk,
  path: string,
  located: Located,
): AsyncGenerator<readonly ObjectEntry[], void, undefined> {
  if (located.kind === 'there') {
    const { service, path: at } = located;
    const { signal } = walk;
    for await (const page of statusesOf(walk, {
      service,
      at,
      op: '',
      operation: 'list',
      path,
      signal,
    })) {
      yield page.map((status) => entryOf(below(path, status.pathSuffix), status));
    }
  } else if (located.kind === 'table') yield await tableEntries(walk, path, located);
}

/** What the links of a mount table lead to, and beside them what its fallback has. */
async function tableEntries(
  walk: Walk,
  path: string,
  { names, beside }: Extract<Located, { kind: 'table' }>,
): Promise<ObjectEntry[]> {
  const entries = await Promise.all(names.map((name) => walk.describe(below(path, name))));
  const linked = new Set(names);
  try {
    for await (const page of beside === undefined ? [] : pagesOf(walk, path, beside)) {
      entries.push(
        ...page.filter((entry) => !linked.has(entry.path.slice(below(path, '').length))),
      );
    }
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== 'WB_NOT_FOUND') throw error;
  }
  return entries.sort((a, b) => compareByBytes(a.path, b.path));
}

function below(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

/** The names of a folder as the name node has them, a page at a time, the next one asked for while one is read. */
async function* statusesOf(
  walk: Walk,
  request: HdfsRequest,
): AsyncGenerator<readonly FileStatus[], void, undefined> {
  const circle = new CircleDetector();
  let startAfter: string | undefined;
  let coming = askPage(walk, request, startAfter);
  for (;;) {
    const after = startAfter;
    const page = await askAgain(walk, () => askPage(walk, request, after), coming);
    const last = page.statuses.at(-1)?.pathSuffix;
    // The listing of a file is that of one name, which is empty.
    if (last === '') throw noFolder(request);
    const isOver = page.remaining === 0;
    if (!isOver && (last === undefined || circle.hasSeen(last))) throw circular(request);
    startAfter = last;
    if (!isOver) coming = askPage(walk, request, startAfter);
    yield page.statuses;
    walk.signal?.throwIfAborted();
    if (isOver) return;
  }
}

interface StatusPage {
  readonly statuses: readonly FileStatus[];
  readonly remaining: number;
}

function askPage(
  walk: Walk,
  request: HdfsRequest,
  startAfter: string | undefined,
): Promise<StatusPage> {
  const page = askOnePage(walk, request, startAfter);
  // It may fail while nobody waits for it yet.
  page.catch(() => undefined);
  return page;
}

async function askOnePage(
  walk: Walk,
  request: HdfsRequest,
  startAfter: string | undefined,
): Promise<StatusPage> {
  const { connection, listsWhole } = walk;
  const { name } = request.service;
  if (!listsWhole.has(name)) {
    try {
      const query = startAfter === undefined ? {} : { startAfter };
      const asked = { ...request, op: 'LISTSTATUS_BATCH', query };
      const { data } = BatchAnswer.safeParse(await connection.ask(asked));
      if (data === undefined) throw broken(request);
      const { partialListing, remainingEntries } = data.DirectoryListing;
      return { statuses: partialListing.FileStatuses.FileStatus, remaining: remainingEntries };
    } catch (error) {
      if (startAfter !== undefined || !isUnknownOperation(error)) throw error;
      listsWhole.add(name);
    }
  }
  const { data } = ListAnswer.safeParse(await connection.ask({ ...request, op: 'LISTSTATUS' }));
  if (data === undefined) throw broken(request);
  return { statuses: data.FileStatuses.FileStatus, remaining: 0 };
}

/** Hadoop before 2.8, and gateways that pass on what they know. */
function isUnknownOperation(error: unknown): boolean {
  return (
    error instanceof WaybillError &&
    !error.retryable &&
    error.code !== 'WB_NOT_FOUND' &&
    /LISTSTATUS_BATCH|IllegalArgument|UnsupportedOperation|HTTP 400/.test(error.message)
  );
}

function noFolder({ path }: HdfsRequest): WaybillError {
  const context = { operation: 'list', store: 'hdfs', path };
  return new WaybillError(
    'WB_NOT_FOUND',
    `${path === '' ? 'it' : path} is a file, and no folder`,
    context,
  );
}

function circular({ path }: HdfsRequest): WaybillError {
  const message = 'the listing cannot be trusted: a page of it does not go on';
  const context = { operation: 'list', store: 'hdfs', path, retryable: false };
  return new WaybillError('WB_UNAVAILABLE', message, context);
}

function broken({ at, path, operation }: HdfsRequest): WaybillError {
  const message = `${at}: the answer is not one of WebHDFS`;
  return new WaybillError('WB_UNAVAILABLE', message, { operation, store: 'hdfs', path });
}
