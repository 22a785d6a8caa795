/** The record of what a pull has brought: new lists, or those that are there because nothing is different. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  encodeManifestLine,
  LateFolders,
  RecordWriter,
  type ManifestEntry,
  type RecordTotals,
} from '../manifest/index.js';
import { asWaybillError, WaybillError } from '../model/errors.js';
import type { CallContext } from './api.js';
import { fsyncDir } from './durable-file.js';
import { FileSpool } from './file-spool.js';
import { listedEntryOf, type ListedEntry } from './fetched-facts.js';
import { UNCHANGED, type Outcome } from './gather.js';
import { RECORD_NAMES } from './layout.js';
import { folderOf } from './plan/parents.js';

/** The lists of a pull, written beside those that are there. */
export interface PullRecordLists {
  readonly totals: Omit<RecordTotals, 'staleFiles'>;
  /** There is nothing to write: the lists in place say just that. */
  readonly isUnchanged: boolean;
  /** Why the lists could not be written, where that is no reason to fail. */
  readonly failure?: WaybillError;
  /** Gives them their names: SHA256SUMS, then the manifest. */
  commit(): Promise<void>;
  drop(): Promise<void>;
}

/** How lists are made. */
export interface RecordOptions {
  readonly recordDir: string;
  /** Every folder of every file below this one is flushed on the way; absent: none is. */
  readonly flushBelow?: string;
  /** A disk that takes no lists is told of, no more. */
  readonly mayFail: boolean;
}

/**
 * Merges the lines of a pull into lists, beside those that are there. Where each line of the last manifest stands, and none
 * comes to it, the receipt in place has proven to name that manifest, and its totals are those of this pull.
 */
export async function writeLists(
  outcome: Outcome,
  context: CallContext,
  options: RecordOptions,
): Promise<PullRecordLists> {
  const { last, allLines, unchangedLines } = outcome;
  if (last.receipt !== undefined && allLines === last.size && unchangedLines === allLines) {
    const { treeDigest, omsDigest, manifestDigest, bytes, levels, counts } = last.receipt;
    const nothing = (): Promise<void> => Promise.resolve();
    const totals = { treeDigest, omsDigest, manifestDigest, bytes, levels, files: counts.files };
    return { totals, isUnchanged: true, commit: nothing, drop: nothing };
  }
  const { recordDir } = options;
  const sums = new FileSpool(join(recordDir, RECORD_NAMES.sums));
  const manifest = new FileSpool(join(recordDir, RECORD_NAMES.manifest));
  const drop = async (): Promise<void> => {
    await sums.drop();
    await manifest.drop();
  };
  const late = outcome.lines.cameInOrder ? outcome.late : await lateFoldersOf(outcome, context);
  const writer = new RecordWriter(() => createHash('sha256'), late);
  const folders = new FolderFlush(options.flushBelow);
  let failure: WaybillError | undefined;
  try {
    for await (const entries of entriesOf(outcome)) {
      context.progress.name = entries[0]?.[0].path ?? '';
      const lines = { sums: '', manifest: '' };
      for (const [entry, line] of entries) {
        const flushed = folders.pass(entry);
        if (flushed !== undefined) await flushed;
        const added = writer.addLine(entry, line);
        lines.sums += added.sums;
        lines.manifest += added.manifest;
      }
      if (failure !== undefined) continue;
      try {
        if (lines.sums !== '') await sums.write(lines.sums);
        await manifest.write(lines.manifest);
      } catch (error) {
        if (!options.mayFail) throw error;
        failure = asWaybillError(error);
      }
    }
    await folders.end();
  } catch (error) {
    await drop();
    throw error;
  }
  const commit = async (): Promise<void> => {
    if (failure !== undefined) throw failure;
    await sums.commit();
    await manifest.commit();
  };
  return {
    totals: writer.result(),
    isUnchanged: false,
    ...(failure === undefined ? {} : { failure }),
    commit,
    drop,
  };
}

/** Of a million files with a hyphen in their names all would else be held until the last has gone by. */
async function lateFoldersOf({ lines }: Outcome, { progress }: CallContext): Promise<LateFolders> {
  const late = new LateFolders();
  for await (const some of lines.sorted()) {
    progress.name = some[0]?.path ?? '';
    for (const { path } of some) late.pass(path);
  }
  return late;
}

/** A file, with its manifest line. */
type EntryAndLine = readonly [entry: ListedEntry, line: string];

/** Each file once, in the byte order of the paths, some at a time. */
async function* entriesOf({ lines, last }: Outcome): AsyncGenerator<readonly EntryAndLine[]> {
  let before: string | undefined;
  for await (const some of lines.sorted()) {
    const entries: EntryAndLine[] = [];
    for (const { path, text } of some) {
      // A listing may have named it twice.
      if (path === before) continue;
      before = path;
      if (text !== UNCHANGED) {
        entries.push([listedEntryOf(text), `${text}\n`]);
        continue;
      }
      const entry = await recordedEntry(last, path);
      entries.push([entry, encodeManifestLine(entry)]);
    }
    yield entries;
  }
}

async function recordedEntry(last: Outcome['last'], path: string): Promise<ManifestEntry> {
  const entry = await last.get(path);
  if (entry !== undefined) return entry;
  const message = `the record of ${path} was removed while the pull was sealed`;
  throw new WaybillError('WB_LOCAL_DAMAGE', message, { operation: 'seal', path });
}

/**
 * Flushes every folder of the files that go by, up to the root: a receipt is as durable as the names that it speaks of, and
 * whoever made or filled one of them may have died before its flush. In byte order what is below a folder comes in one piece.
 */
class FolderFlush {
  private open: string[] = [];
  private folder = '';

  constructor(private readonly root: string | undefined) {}

  /** Undefined where there is nothing to wait for: most files are in the folder of the one before. */
  pass({ path, isStale }: ListedEntry): Promise<void> | undefined {
    if (this.root === undefined || isStale === true) return undefined;
    const folder = folderOf(path);
    if (folder === this.folder) return undefined;
    this.folder = folder;
    return this.enter(folder === '' ? [] : folder.split('/'));
  }

  private async enter(folders: string[]): Promise<void> {
    let shared = 0;
    while (shared < folders.length && folders[shared] === this.open[shared]) shared += 1;
    await this.leave(shared);
    this.open = folders;
  }

  async end(): Promise<void> {
    await this.leave(0);
    if (this.root !== undefined) await fsyncDir(this.root);
  }

  private async leave(depth: number): Promise<void> {
    while (this.root !== undefined && this.open.length > depth) {
      await fsyncDir(join(this.root, ...this.open));
      this.open.pop();
    }
  }
}
