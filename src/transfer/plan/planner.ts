/** The listing of a source as a stream of decisions: what to fetch, keep, skip, and what is refused. */
import { join } from 'node:path';
import { utf8Bytes } from '../../model/caps.js';
import { asWaybillError, WaybillError, type PlainError, toPlainError } from '../../model/errors.js';
import { guardPath, isRecordPath, unsafe } from '../../model/object-path.js';
import type { LookAtHost } from '../../model/host-files.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import type { PullRequest } from '../../model/pull.js';
import { nameSpecial, type SpecialKind } from '../../model/special.js';
import type { Store } from '../../stores/store.js';
import type { CallContext, ResolvedSource } from '../api.js';
import { recordError } from '../held-folder.js';
import { decide, type ExistingContext } from './existing.js';
import type { Expectations } from './expectations.js';
import { filterOf, isFiltered } from './filters.js';
import type { LiveListing } from './live-listing.js';
import { mapInOrder } from './map-in-order.js';
import { collision, type Clash } from './names.js';
import { namesOf, type Names } from './ordered-names.js';
import { AS_RECORDED, type PlanEntry } from './page.js';
import { outsideError } from './parents.js';
import type { PlannedPaths } from './planned-paths.js';
import type { NamesThere } from './probe-names.js';

/** Entries that a listing may have before it counts as endless (rule 24). */
const MAX_ENTRIES = 20_000_000;

/** Longest absolute path that the system takes. */
const MAX_WHOLE_BYTES = process.platform === 'darwin' ? 1_023 : 4_095;

/** What fails for its name, or is not there. */
interface Refused {
  readonly kind: 'refused';
  readonly path: string;
  readonly error: PlainError;
}

/** What comes out of planning, one by one. */
export type Planned =
  | { readonly kind: 'entry'; readonly entry: PlanEntry }
  | Refused
  /** A file below a folder called `.waybill` at the source (rule 23). */
  | { readonly kind: 'record'; readonly path: string }
  /** Neither file nor folder (rule 24). */
  | { readonly kind: 'special'; readonly path: string; readonly special: SpecialKind };

/** What a plan is made from. */
export interface PlanInput {
  readonly request: PullRequest;
  readonly resolved: ResolvedSource;
  readonly store: Store;
  /** Looks at files of this host in another thread; absent: the store does so itself. */
  readonly lookAtHost?: LookAtHost;
  /** What the source lists, where that was begun before; absent: it begins with the first decision. */
  readonly listing?: AsyncIterable<ObjectEntry>;
  readonly expectations: Expectations;
  readonly existing: ExistingContext;
  readonly namesThere: NamesThere;
  /** The name of a single file at the destination. */
  readonly singleName: string | undefined;
  /** Keeps the listing alive over the attempts; absent: the first failure ends it. */
  readonly live?: Pick<LiveListing, 'again' | 'moved'>;
  /** What an earlier, interrupted planning has sealed already. */
  readonly planned: PlannedPaths;
  /** Entries that the listing may have; MAX_ENTRIES by default. */
  readonly maxEntries?: number;
}

/** Files that are compared with what is there at once: each waits for the disk, and perhaps for the source. */
const COMPARED_AT_ONCE = 64;

/** A file that is to be compared with what is there. */
interface Candidate {
  readonly kind: 'file';
  readonly path: string;
  readonly entry: ObjectEntry;
}

/**
 * Plans a source entry by entry; memory grows with the names only. After the last entry come the refusals that
 * only the whole listing shows. Throws WB_LIMIT_EXCEEDED, WB_NOTHING_MATCHES and what the store throws.
 */
export function planEntries(input: PlanInput, context: CallContext): AsyncGenerator<Planned> {
  return mapInOrder(candidates(input, context), COMPARED_AT_ONCE, (item) =>
    item.kind === 'file' ? plannedFile(input, item.path, item.entry) : item,
  );
}

async function* candidates(
  input: PlanInput,
  context: CallContext,
): AsyncGenerator<Planned | Candidate> {
  const { request, maxEntries = MAX_ENTRIES } = input;
  const isWanted = filterOf(request.filters);
  const names = namesOf(input.namesThere);
  // Only of what somebody promised it matters whether it came.
  const isPromised = promisedBy(input);
  const seen = new Set<string>();
  const specials = new Map<string, SpecialKind>();
  let files = 0;
  let bytes = 0;
  let entries = 0;
  for await (const entry of input.listing ?? listSource(input, context)) {
    entries += 1;
    if (entries > maxEntries) {
      throw limit(`the source lists more than ${maxEntries} entries: is it endless?`);
    }
    context.progress.name = entry.path;
    const path = input.singleName ?? entry.path;
    if (isRecordPath(path)) {
      if (entry.kind === 'file') yield { kind: 'record', path };
      continue;
    }
    if (entry.kind === 'directory') {
      if (!isFiltered(request.filters)) yield* await planFolder(input, names, path);
      continue;
    }
    if (!isWanted(path)) continue;
    if (entry.kind === 'special') {
      const { special = 'other' } = entry;
      if (isPromised(path)) specials.set(path, special);
      yield { kind: 'special', path: path.slice(0, 400), special };
      continue;
    }
    const refused = refusals(input, names, path);
    if (refused.length > 0) {
      for (const refusal of refused) yield refusal;
      continue;
    }
    if (isPromised(path)) seen.add(path);
    files += 1;
    bytes += entry.sizeBytes ?? 0;
    if (request.maxFiles !== undefined && files > request.maxFiles) {
      throw limit(`the source has more than ${request.maxFiles} files (--max-files)`);
    }
    if (request.maxBytes !== undefined && bytes > request.maxBytes) {
      throw limit(`the source has more than ${request.maxBytes} bytes (--max-bytes)`);
    }
    context.progress.filesDone = files;
    context.progress.bytesDone = bytes;
    if (input.planned.hasFile(path)) continue;
    yield { kind: 'file', path, entry };
  }
  const lacking = [...missing(input, isWanted, seen, specials)];
  const isMissing = lacking.some(({ error }) => error.code === 'WB_MISSING_FILE');
  if (files === 0 && isFiltered(request.filters) && !isMissing) {
    throw new WaybillError(
      'WB_NOTHING_MATCHES',
      `no file of ${request.source.uri} matches the filters (${entries} entries were listed)`,
      { operation: 'plan' },
    );
  }
  yield* lacking;
}

function limit(message: string): WaybillError {
  return new WaybillError('WB_LIMIT_EXCEEDED', message, { operation: 'plan' });
}

/** Yields what the source has: all of a tree, or the one file. */
export async function* listSource(
  input: Pick<PlanInput, 'resolved' | 'store' | 'live' | 'lookAtHost'>,
  { signal }: Pick<CallContext, 'signal'>,
): AsyncGenerator<ObjectEntry> {
  if (input.resolved.kind === 'file') {
    yield { ...(await input.store.stat('', { signal })), path: '' };
    return;
  }
  const { live, lookAtHost } = input;
  const options = {
    ...(live === undefined ? {} : { again: live.again }),
    ...(lookAtHost === undefined ? {} : { lookAtHost }),
  };
  for await (const entry of input.store.list('', { recursive: true, signal, ...options })) {
    signal.throwIfAborted();
    input.live?.moved();
    yield entry;
  }
}

function refusals(input: PlanInput, names: Names, path: string): Refused[] {
  try {
    guardPath(path, input.namesThere);
    guardLength(input, path);
  } catch (error) {
    return [
      { kind: 'refused', path: path.slice(0, 400), error: toPlainError(asWaybillError(error)) },
    ];
  }
  return names.addFile(path).map(refusalOfClash);
}

/** A longer one could be made folder by folder, and nobody could open it by its name. */
function guardLength(input: PlanInput, path: string): void {
  const bytes = utf8Bytes(join(input.existing.filesRoot, path));
  if (bytes <= MAX_WHOLE_BYTES) return;
  const why = `below this destination it would be ${bytes} bytes long, and the system takes ${MAX_WHOLE_BYTES}`;
  throw unsafe(path, why);
}

function refusalOfClash(clash: Clash): Refused {
  return { kind: 'refused', path: clash.path, error: toPlainError(collision(clash)) };
}

async function planFolder(input: PlanInput, names: Names, path: string): Promise<Planned[]> {
  if (path === '') return [];
  const entry = { path, kind: 'directory' as const };
  try {
    guardPath(path, input.namesThere);
    guardLength(input, path);
    const clashes = names.addFolder(path);
    if (clashes.length > 0) return clashes.map(refusalOfClash);
    if (input.planned.hasFolder(path)) return [];
    const found = await input.existing.parents.kindOf(path);
    if (found === 'outside') throw outsideError(path);
    if (found === 'record') throw recordError(path);
    if (found !== 'not a folder') {
      return [{ kind: 'entry', entry: { ...entry, action: 'make', reason: 'a folder' } }];
    }
  } catch (error) {
    // The files in it are refused one by one; an empty folder with a hostile name is worth a line of its own.
    return [{ kind: 'refused', path: path.slice(0, 400), error: refusalOf(error) }];
  }
  const reason = 'a file is in the place of a folder';
  return [{ kind: 'entry', entry: { ...entry, action: 'conflict', reason } }];
}

/** What concerns one name is that name's failure; anything else ends the plan. */
function refusalOf(error: unknown): PlainError {
  const known = asWaybillError(error);
  if (known.code !== 'WB_UNSAFE_PATH') throw known;
  return toPlainError(known);
}

async function plannedFile(input: PlanInput, path: string, entry: ObjectEntry): Promise<Planned> {
  try {
    return { kind: 'entry', entry: await planFile(input, path, entry) };
  } catch (error) {
    return { kind: 'refused', path, error: refusalOf(error) };
  }
}

async function planFile(input: PlanInput, path: string, entry: ObjectEntry): Promise<PlanEntry> {
  const expected = input.expectations.of(path);
  const decision = await decide(input.existing, path, entry, expected);
  const { isAsRecorded, ...rest } = decision;
  const { kept, action, reason } = rest;
  if (kept !== undefined && isAsRecorded === true) {
    return { path, kind: 'file', action, reason, sizeBytes: kept.sizeBytes, kept: AS_RECORDED };
  }
  return {
    path,
    ...(entry.path === path ? {} : { sourcePath: entry.path }),
    kind: 'file',
    ...rest,
    ...(entry.sizeBytes === undefined ? {} : { sizeBytes: entry.sizeBytes }),
    ...(entry.pin === undefined ? {} : { pin: entry.pin }),
    ...(entry.modifiedAt === undefined ? {} : { modifiedAt: entry.modifiedAt }),
    ...(entry.isExecutable === undefined ? {} : { isExecutable: entry.isExecutable }),
    ...(entry.digests === undefined ? {} : { digests: { ...entry.digests } }),
    ...(expected === undefined ? {} : { expected }),
  };
}

function promisedBy({ expectations, request }: PlanInput): (path: string) => boolean {
  const files = new Set(request.filters.files);
  return (path) => expectations.required.has(path) || files.has(path);
}

/** Files that somebody promised and the source does not have. */
function* missing(
  input: PlanInput,
  isWanted: (path: string) => boolean,
  seen: ReadonlySet<string>,
  specials: ReadonlyMap<string, SpecialKind>,
): Generator<Refused> {
  const instead = (path: string): string => {
    const special = specials.get(path);
    return special === undefined ? '' : `: ${nameSpecial(special)} has its name`;
  };
  for (const [path, from] of input.expectations.required) {
    if (seen.has(path) || isRecordPath(path) || !isWanted(path)) continue;
    const message = `${path.slice(0, 200)} is listed (${from}) and is not at the source${instead(path)}`;
    const error = new WaybillError('WB_MISSING_FILE', message, { operation: 'plan', path });
    yield { kind: 'refused', path, error: toPlainError(error) };
  }
  for (const path of input.request.filters.files ?? []) {
    if (seen.has(path) || input.expectations.required.has(path)) continue;
    const message = `${path.slice(0, 200)} is in --files-from and is not at the source${instead(path)}`;
    const error = new WaybillError('WB_NOT_FOUND', message, { operation: 'plan', path });
    yield { kind: 'refused', path, error: toPlainError(error) };
  }
}
