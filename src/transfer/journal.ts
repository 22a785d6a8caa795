/**
 * The journal: what is in place already. One file per worker process, a CRC per line, a torn tail dropped
 * (rule 15). A `durable` mark is written after the flush and is itself flushed; a line after the last mark counts
 * only on the same host since the same boot, else the file that it names is hashed first.
 */
import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isErrorCode, type ErrorCode } from '../model/errors.js';
import { samePin, type Pin } from '../model/object-entry.js';
import { SPECIAL_KINDS, type SpecialKind } from '../model/special.js';
import { manifestEntrySchema, type ManifestEntry } from '../manifest/manifest.js';
import { toDestinationError } from './destination-error.js';
import { fsyncDir, makeFolderInside } from './durable-file.js';
import type { Replaceable } from './take-name.js';
import { checkedLine, readCheckedLines } from './thread/checked-lines.js';

/** Who writes: enough to tell a dead writer from a living one. */
export interface WriterIdentity {
  readonly host: string;
  readonly bootId: string;
  readonly pid: number;
  /** Clock ticks since boot when the process started. */
  readonly startTicks: string;
}

const headSchema = z.object({
  kind: z.literal('head'),
  host: z.string(),
  bootId: z.string(),
  pid: z.number(),
  startTicks: z.string(),
});
const fetchedSchema = z.object({
  kind: z.literal('fetched'),
  planId: z.string(),
  entry: manifestEntrySchema,
  bytesFetched: z.number().default(0),
});
const publishingSchema = z.object({
  kind: z.literal('publishing'),
  planId: z.string(),
  entry: manifestEntrySchema,
  /** The partial that gets the name; after a kill in between it may have both. */
  partialName: z.string().exactOptional(),
});
const failedSchema = z.object({
  kind: z.literal('failed'),
  planId: z.string(),
  path: z.string(),
  code: z.custom<ErrorCode>(isErrorCode),
  message: z.string(),
});
const warningSchema = z.object({
  kind: z.literal('warning'),
  planId: z.string(),
  message: z.string(),
});
const recordSchema = z.object({
  kind: z.literal('skipped record'),
  planId: z.string(),
  path: z.string(),
});
const specialSchema = z.object({
  kind: z.literal('skipped special'),
  planId: z.string(),
  path: z.string(),
  special: z.enum(SPECIAL_KINDS),
});
const durableSchema = z.object({ kind: z.literal('durable') });
const lineSchema = z.discriminatedUnion('kind', [
  headSchema,
  fetchedSchema,
  publishingSchema,
  failedSchema,
  warningSchema,
  recordSchema,
  specialSchema,
  durableSchema,
]);

/** A file that is in place. */
export type FetchedLine = z.infer<typeof fetchedSchema>;
/**
 * A file that is flushed and about to get its name. After a kill between the two, the file under that name is
 * recognised by inode, time and size as ours, and not taken for somebody else's.
 */
export type PublishingLine = z.infer<typeof publishingSchema>;
/** A file that finally failed. */
export type FailedLine = z.infer<typeof failedSchema>;
/** What a plan left out, for it is neither file nor folder. */
type SpecialLine = z.infer<typeof specialSchema>;
type Line = z.infer<typeof lineSchema>;

/** A fetched line as it was found. */
export interface JournalEntry extends FetchedLine {
  /** False: what it names must be hashed before it is believed. */
  readonly isTrusted: boolean;
}

/** What a plan expects of a journal line before it counts (rule 15). */
export interface PlannedVersion {
  readonly planId: string;
  readonly pin?: Pin;
  readonly sizeBytes?: number;
}

/**
 * Whether a line is of the planned version: path, pin and size equal. A file without a pin counts only within the
 * plan that fetched it: nothing tells whether the source changed since.
 */
export function isOfPlan(line: FetchedLine | PublishingLine, planned: PlannedVersion): boolean {
  if (planned.sizeBytes !== undefined && planned.sizeBytes !== line.entry.sizeBytes) return false;
  if (line.planId === planned.planId) {
    return planned.pin === undefined || samePin(planned.pin, line.entry.pin);
  }
  return samePin(planned.pin, line.entry.pin);
}

/**
 * Whether a file is the one that a line speaks of, by inode, mtime and size. The ctime is left out: a rename changes it, and
 * the line is written before.
 */
export function isPublishedFile(entry: ManifestEntry, found: Replaceable): boolean {
  return (
    entry.sizeBytes === found.sizeBytes &&
    entry.local?.inode === found.stamp.inode &&
    entry.local.mtimeNs === found.stamp.mtimeNs
  );
}

/** All journals of a record folder, read; and the one that this process appends to. */
export class Journal {
  private readonly fetchedByPath = new Map<string, JournalEntry>();
  private readonly publishingByPath = new Map<string, PublishingLine>();
  private readonly failedByPath = new Map<string, FailedLine>();
  private readonly warningTexts = new Set<string>();
  private readonly skippedRecordPaths = new Set<string>();
  private readonly specialsByPath = new Map<string, SpecialLine>();
  private appending: Promise<unknown> = Promise.resolve();
  private file: FileHandle | undefined;

  private constructor(
    private readonly folder: string,
    private readonly writer: WriterIdentity,
  ) {}

  /** Reads what is there. Throws WB_DESTINATION_FAILED and its kin. */
  static async open(folder: string, writer: WriterIdentity): Promise<Journal> {
    const journal = new Journal(folder, writer);
    try {
      await makeFolderInside(folder);
      const names = (await readdir(folder)).filter((name) => name.endsWith('.journal')).sort();
      for (const name of names) journal.read(await readFile(join(folder, name), 'utf8'));
    } catch (error) {
      throw toDestinationError(error, 'read the journal', folder);
    }
    return journal;
  }

  /** The same journals as they are now: other processes write to theirs. */
  reread(): Promise<Journal> {
    return Journal.open(this.folder, this.writer);
  }

  fetched(path: string): JournalEntry | undefined {
    return this.fetchedByPath.get(path);
  }

  /** Every file that some run has brought, the last line of each. */
  allFetched(): Iterable<JournalEntry> {
    return this.fetchedByPath.values();
  }

  /** What was about to be published under a path, when no line says that it was. */
  publishing(path: string): PublishingLine | undefined {
    return this.publishingByPath.get(path);
  }

  /** The final failure of a file, unless a later attempt brought it. */
  failed(path: string): FailedLine | undefined {
    return this.failedByPath.get(path);
  }

  /** Failures of one plan that no later success has made void. */
  failures(planId: string): FailedLine[] {
    return [...this.failedByPath.values()].filter((line) => line.planId === planId);
  }

  /** Warnings for the receipt. */
  warnings(): string[] {
    return [...this.warningTexts];
  }

  /** Records files in place. When this resolves, the lines survive a power cut. */
  async addFetched(lines: readonly FetchedLine[]): Promise<void> {
    await this.append([...lines, { kind: 'durable' }]);
    for (const line of lines) this.take(line, true);
  }

  /** Announces files that get their names next. When this resolves, the lines survive a power cut. */
  async addPublishing(lines: readonly PublishingLine[]): Promise<void> {
    await this.append(lines);
    for (const line of lines) this.take(line, true);
  }

  async addFailed(line: FailedLine): Promise<void> {
    await this.append([line]);
    this.take(line, true);
  }

  async addWarning(planId: string, message: string): Promise<void> {
    if (this.warningTexts.has(message)) return;
    this.warningTexts.add(message);
    await this.append([{ kind: 'warning', planId, message }]);
  }

  /** Records that a file below a `.waybill` folder of the source was left out (rule 23). */
  async addSkippedRecord(planId: string, path: string): Promise<void> {
    if (this.skippedRecordPaths.has(path)) return;
    this.skippedRecordPaths.add(path);
    await this.append([{ kind: 'skipped record', planId, path }]);
  }

  /** The files that `addSkippedRecord` named. */
  skippedRecords(): string[] {
    return [...this.skippedRecordPaths];
  }

  /** Records that something was left out for it is neither file nor folder (rule 24). */
  async addSpecial(
    planId: string,
    { path, special }: { readonly path: string; readonly special: SpecialKind },
  ): Promise<void> {
    if (this.specialsByPath.get(path)?.planId === planId) return;
    const line = { kind: 'skipped special' as const, planId, path, special };
    this.specialsByPath.set(path, line);
    await this.append([line]);
  }

  /** What `addSpecial` recorded of one plan. */
  specials(planId: string): SpecialLine[] {
    return [...this.specialsByPath.values()].filter((line) => line.planId === planId);
  }

  /** Ends the file. A write that failed was told to whoever asked for it. */
  async close(): Promise<void> {
    await this.appending.catch(() => undefined);
    await this.drop();
  }

  private async drop(): Promise<void> {
    const { file } = this;
    this.file = undefined;
    await file?.close().catch(() => undefined);
  }

  private append(lines: readonly Line[]): Promise<void> {
    const write = async (): Promise<void> => {
      try {
        this.file ??= await this.create();
        await this.file.write(lines.map((line) => checkedLine(JSON.stringify(line))).join(''));
        await this.file.datasync();
      } catch (error) {
        // Nobody knows what the disk has of this file (rule 14): what comes next goes into a new one.
        await this.drop();
        throw toDestinationError(error, 'write the journal', this.folder);
      }
    };
    // One after another; a failed write must not fail those that come after it.
    const done = this.appending.then(write, write);
    this.appending = done;
    return done;
  }

  private async create(): Promise<FileHandle> {
    const { host, pid, startTicks } = this.writer;
    // After a reboot another process may have the same number and the same start; it must not go on behind a torn tail.
    const name = `${host}-${pid}-${startTicks}-${randomBytes(4).toString('hex')}.journal`;
    const path = join(this.folder, name.replace(/[^A-Za-z0-9.-]/g, '_'));
    const file = await open(path, 'ax', 0o600);
    try {
      await file.write(checkedLine(JSON.stringify({ kind: 'head', ...this.writer })));
      // A line is as durable as the name of its file.
      await fsyncDir(this.folder);
      return file;
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  private read(content: string): void {
    const pending: FetchedLine[] = [];
    let isSameBoot = false;
    const settle = (isTrusted: boolean): void => {
      for (const line of pending.splice(0)) this.take(line, isTrusted);
    };
    for (const text of readCheckedLines(content)) {
      const parsed = lineSchema.safeParse(JSON.parse(text));
      if (!parsed.success) continue;
      const line = parsed.data;
      if (line.kind === 'head') {
        settle(isSameBoot);
        isSameBoot = line.host === this.writer.host && line.bootId === this.writer.bootId;
      } else if (line.kind === 'durable') settle(true);
      else if (line.kind === 'fetched') pending.push(line);
      else this.take(line, true);
    }
    settle(isSameBoot);
  }

  private take(line: Line, isTrusted: boolean): void {
    if (line.kind === 'fetched') {
      this.fetchedByPath.set(line.entry.path, { ...line, isTrusted });
      this.failedByPath.delete(line.entry.path);
      this.publishingByPath.delete(line.entry.path);
    } else if (line.kind === 'publishing') this.publishingByPath.set(line.entry.path, line);
    else if (line.kind === 'failed') {
      this.failedByPath.set(line.path, line);
    } else if (line.kind === 'warning') this.warningTexts.add(line.message);
    else if (line.kind === 'skipped record') this.skippedRecordPaths.add(line.path);
    else if (line.kind === 'skipped special') this.specialsByPath.set(line.path, line);
  }
}

/** The line of a file in place. */
export function fetchedLine(
  planId: string,
  entry: ManifestEntry,
  bytesFetched: number,
): FetchedLine {
  return { kind: 'fetched', planId, entry, bytesFetched };
}
