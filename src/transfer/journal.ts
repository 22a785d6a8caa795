/**
 * The journal: what is in place already. One file per worker process, a CRC per line, a torn tail dropped
 * (rule 15). A `durable` mark is written after the flush and is itself flushed; a line after the last mark counts
 * only on the same host since the same boot, else the file that it names is hashed first.
 */
import { randomBytes } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpecialKind } from '../model/special.js';
import type { ManifestEntry } from '../manifest/manifest.js';
import { toDestinationError } from './destination-error.js';
import { factsOf, type FetchedFacts } from './fetched-facts.js';
import { fsyncDir, makeFolderInside } from './durable-file.js';
import {
  fileLineOf,
  keysOf,
  parseLine,
  type FailedLine,
  type FetchedLine,
  type FileLine,
  type Line,
  type LineKeys,
  type PublishingLine,
  type SpecialLine,
} from './journal-lines.js';
import { journalsByAge } from './journals-by-age.js';
import { checkedLine, checkedText } from './thread/checked-lines.js';
import { LineFiles } from './lines/line-files.js';
import { MARKS, PathIndex } from './lines/path-index.js';
import { scanLines } from './lines/scan-lines.js';

/** Who writes: enough to tell a dead writer from a living one. */
export interface WriterIdentity {
  readonly host: string;
  readonly bootId: string;
  readonly pid: number;
  /** Clock ticks since boot when the process started. */
  readonly startTicks: string;
}

export type { FailedLine, FetchedLine, PublishingLine } from './journal-lines.js';

/** A fetched line as it was found. */
export interface JournalEntry extends FetchedLine {
  /** False: what it names must be hashed before it is believed. */
  readonly isTrusted: boolean;
}

/** The file that this process writes. */
interface OwnFile {
  readonly handle: FileHandle;
  readonly number: number;
  sizeBytes: number;
}

/** A fetched line, and where it lies. */
type Fetched = Omit<LineKeys, 'kind'> & { readonly place: number };

/** A file of another process, and how far it is read. */
interface JournalFile {
  readonly number: number;
  readBytes: number;
  isSameBoot: boolean;
  /** Fetched lines after the last mark. */
  readonly pending: Fetched[];
}

function newJournalFile(number: number): JournalFile {
  return { number, readBytes: 0, isSameBoot: false, pending: [] };
}

/** Read at once: whoever else needs the thread waits no longer than a few thousand lines take. */
const READ_BYTES = 256 * 1024;

/** A receipt names no more. */
const MAX_WARNINGS = 1_000;

/** All journals of a record folder, read; and the one that this process appends to. */
export class Journal {
  private readonly files = new LineFiles();
  /** The last line of each file in place. */
  private readonly fetchedLines = new PathIndex();
  private readonly failedLines = new PathIndex();
  /** Gone again as soon as the file is in place: as many as are being published, or were when a process died. */
  private readonly publishingByPath = new Map<string, PublishingLine | string>();
  private readonly warningTexts = new Set<string>();
  private readonly skippedRecordPaths = new Set<string>();
  private readonly specialsByPath = new Map<string, SpecialLine>();
  private readonly ownNames = new Set<string>();
  private readonly others = new Map<string, JournalFile>();
  private landedBytes = 0;
  private appending: Promise<unknown> = Promise.resolve();
  private reading: Promise<unknown> = Promise.resolve();
  private own: OwnFile | undefined;

  private constructor(
    private readonly folder: string,
    private readonly writer: WriterIdentity,
    private readonly planId: string | undefined,
  ) {}

  /**
   * Reads what is there. Throws WB_DESTINATION_FAILED and its kin.
   * @param planId whose lines `bytesOfPlan` counts
   */
  static async open(folder: string, writer: WriterIdentity, planId?: string): Promise<Journal> {
    const journal = new Journal(folder, writer, planId);
    await makeFolderInside(folder);
    await journal.refresh();
    return journal;
  }

  /** Reads what other processes have written since. */
  refresh(): Promise<void> {
    const read = async (): Promise<void> => {
      try {
        await this.readOthers();
      } catch (error) {
        throw toDestinationError(error, 'read the journal', this.folder);
      }
    };
    const done = this.reading.then(read, read);
    this.reading = done;
    return done;
  }

  /** The last line of a file in place; undefined where there is none. */
  async fetched(path: string): Promise<JournalEntry | undefined> {
    const slot = this.fetchedLines.find(path);
    if (slot === undefined) return undefined;
    const isTrusted = this.fetchedLines.isMarked(slot, MARKS.trusted);
    const line = await this.lineAt(this.fetchedLines.placeAt(slot));
    const isThat = line?.kind === 'fetched' && line.entry.path === path;
    return isThat ? { ...line, isTrusted } : undefined;
  }

  /** What `fetched` knows of many files: one behind the other in the journal mostly, so that few have to be waited for. */
  async factsOf(paths: readonly string[]): Promise<(FetchedFacts | undefined)[]> {
    const found: (FetchedFacts | undefined)[] = [];
    for (const path of paths) {
      const slot = this.fetchedLines.find(path);
      if (slot === undefined) {
        found.push(undefined);
        continue;
      }
      const place = this.fetchedLines.placeAt(slot);
      const text = checkedText(this.files.lineNow(place) ?? (await this.files.lineAt(place)));
      const facts = text === undefined ? undefined : factsOf(text);
      found.push(facts?.entry.path === path ? facts : undefined);
    }
    return found;
  }

  /** Whether a line says that a file was brought; of most files none does, and to know that nothing is read. */
  wasFetched(path: string): boolean {
    return this.fetchedLines.find(path) !== undefined;
  }

  /** Whether a line says that a file has finally failed. */
  hasFailed(path: string): boolean {
    return this.failedLines.find(path) !== undefined;
  }

  /** Whether any line names a file. */
  knows(path: string): boolean {
    const isIn = this.wasFetched(path) || this.publishingByPath.has(path);
    return isIn || this.hasFailed(path);
  }

  /** Bytes of the files that the plan at hand has brought so far. */
  get bytesOfPlan(): number {
    return this.landedBytes;
  }

  /** Notes that a file is planned, and whether it is in place as planned: `fetchedBeside` leaves out the latter. */
  note(path: string, isBrought: boolean): void {
    this.fetchedLines.markPath(path, isBrought ? MARKS.planned | MARKS.brought : MARKS.planned);
  }

  /** Every file that some run has brought and that was not noted as brought; `isPlanned`: it was noted. */
  async *fetchedBeside(): AsyncGenerator<{ entry: ManifestEntry; isPlanned: boolean }> {
    for (const place of this.fetchedLines.placesWithout(MARKS.brought)) {
      const line = await this.lineAt(place);
      if (line?.kind !== 'fetched') continue;
      const slot = this.fetchedLines.find(line.entry.path);
      const isPlanned = slot !== undefined && this.fetchedLines.isMarked(slot, MARKS.planned);
      yield { entry: line.entry, isPlanned };
    }
  }

  /** What was about to be published under a path, when no line says that it was. */
  publishing(path: string): PublishingLine | undefined {
    const line = this.publishingByPath.get(path);
    if (typeof line !== 'string') return line;
    const parsed = parseLine(line);
    return parsed?.kind === 'publishing' ? parsed : undefined;
  }

  /** The final failure of a file, unless a later attempt brought it. */
  async failed(path: string): Promise<FailedLine | undefined> {
    const slot = this.failedLines.find(path);
    if (slot === undefined) return undefined;
    const line = await this.lineAt(this.failedLines.placeAt(slot));
    return line?.kind === 'failed' && line.path === path ? line : undefined;
  }

  /** Failures of one plan that no later success has made void. */
  async *failures(planId: string): AsyncGenerator<FailedLine> {
    for (const place of this.failedLines.placesWithout(0)) {
      const line = await this.lineAt(place);
      if (line?.kind === 'failed' && line.planId === planId) yield line;
    }
  }

  /** Warnings for the receipt. */
  warnings(): string[] {
    return [...this.warningTexts];
  }

  /** Records files in place. When this resolves, the lines survive a power cut. */
  async addFetched(lines: readonly (FetchedLine | FileLine)[]): Promise<void> {
    const written = lines.map(fileLineOf);
    const texts = written.map(({ text }) => text);
    const places = await this.appendTexts([...texts, JSON.stringify({ kind: 'durable' })]);
    for (const [index, { planId, path, sizeBytes }] of written.entries()) {
      this.takeFetched({ planId, path, sizeBytes, place: places[index] ?? -1 }, true);
    }
  }

  /** Announces files that get their names next. When this resolves, the lines survive a power cut. */
  async addPublishing(lines: readonly (PublishingLine | FileLine)[]): Promise<void> {
    const written = lines.map(fileLineOf);
    await this.appendTexts(written.map(({ text }) => text));
    for (const { path, text } of written) this.publishingByPath.set(path, text);
  }

  async addFailed(line: FailedLine): Promise<void> {
    const [place = -1] = await this.append([line]);
    this.failedLines.set(line.path, place);
  }

  async addWarning(planId: string, message: string): Promise<void> {
    if (this.warningTexts.has(message) || this.warningTexts.size >= MAX_WARNINGS) return;
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
    const { own } = this;
    this.own = undefined;
    await own?.handle.close().catch(() => undefined);
  }

  /** Answers the places of the lines. */
  private append(lines: readonly Line[]): Promise<number[]> {
    return this.appendTexts(lines.map((line) => JSON.stringify(line)));
  }

  private appendTexts(lines: readonly string[]): Promise<number[]> {
    const write = async (): Promise<number[]> => {
      try {
        this.own ??= await this.create();
        const { handle, number, sizeBytes } = this.own;
        const texts = lines.map(checkedLine);
        const places: number[] = [];
        let offset = sizeBytes;
        for (const text of texts) {
          places.push(this.files.placeOf(number, offset));
          offset += Buffer.byteLength(text);
        }
        await handle.write(texts.join(''));
        await handle.datasync();
        this.own.sizeBytes = offset;
        return places;
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

  private async create(): Promise<OwnFile> {
    const { host, pid, startTicks } = this.writer;
    // After a reboot another process may have the same number and the same start; it must not go on behind a torn tail.
    const tail = `${host}-${pid}-${startTicks}-${randomBytes(4).toString('hex')}.journal`;
    const name = tail.replace(/[^A-Za-z0-9.-]/g, '_');
    const path = join(this.folder, name);
    this.ownNames.add(name);
    const handle = await open(path, 'ax', 0o600);
    try {
      const head = checkedLine(JSON.stringify({ kind: 'head', ...this.writer }));
      await handle.write(head);
      // A line is as durable as the name of its file.
      await fsyncDir(this.folder);
      const number = this.files.add([path]);
      return { handle, number, sizeBytes: Buffer.byteLength(head) };
    } catch (error) {
      await handle.close().catch(() => undefined);
      throw error;
    }
  }

  private async readOthers(): Promise<void> {
    for (const name of await journalsByAge(this.folder)) {
      if (this.ownNames.has(name)) continue;
      const path = join(this.folder, name);
      const file = this.others.get(name) ?? newJournalFile(this.files.add([path]));
      this.others.set(name, file);
      await this.read(path, file);
    }
  }

  private async read(path: string, file: JournalFile): Promise<void> {
    const pieces = scanLines(path, { fromBytes: file.readBytes, chunkBytes: READ_BYTES });
    for await (const lines of pieces) {
      for (const { bytes, offsetBytes } of lines) {
        file.readBytes = offsetBytes + bytes.length + 1;
        const text = checkedText(bytes);
        if (text !== undefined) {
          this.readLine(text, file, this.files.placeOf(file.number, offsetBytes));
        }
      }
    }
    // A mark may still come for them.
    for (const line of file.pending) this.takeFetched(line, file.isSameBoot);
  }

  private readLine(text: string, file: JournalFile, place: number): void {
    const keys = keysOf(text);
    if (keys !== undefined) {
      if (keys.kind === 'fetched') file.pending.push({ ...keys, place });
      else this.publishingByPath.set(keys.path, text);
      return;
    }
    const line = parseLine(text);
    if (line?.kind === 'head') {
      this.settle(file, file.isSameBoot);
      file.isSameBoot = line.host === this.writer.host && line.bootId === this.writer.bootId;
    } else if (line?.kind === 'durable') this.settle(file, true);
    else if (line?.kind === 'fetched') {
      file.pending.push({ ...line.entry, planId: line.planId, place });
    } else if (line !== undefined) this.take(line, place);
  }

  private settle(file: JournalFile, isTrusted: boolean): void {
    for (const line of file.pending.splice(0)) this.takeFetched(line, isTrusted);
  }

  private async lineAt(place: number): Promise<Line | undefined> {
    return lineOf(await this.files.lineAt(place));
  }

  private takeFetched({ planId, path, sizeBytes, place }: Fetched, isTrusted: boolean): void {
    const isOfPlan = planId === this.planId;
    const known = isOfPlan ? undefined : this.fetchedLines.find(path);
    // Two files may bear the same time: what the plan at hand brought is never older than what another did.
    if (known !== undefined && this.fetchedLines.isMarked(known, MARKS.ofPlan)) {
      this.publishingByPath.delete(path);
      return;
    }
    const marks = (isTrusted ? MARKS.trusted : 0) | (isOfPlan ? MARKS.ofPlan : 0);
    const before = this.fetchedLines.set(path, place, marks) ?? 0;
    if (isOfPlan && (before & MARKS.ofPlan) === 0) this.landedBytes += sizeBytes;
    this.failedLines.drop(path);
    this.publishingByPath.delete(path);
  }

  private take(line: Line, place: number): void {
    if (line.kind === 'publishing') this.publishingByPath.set(line.entry.path, line);
    else if (line.kind === 'failed') this.failedLines.set(line.path, place);
    else if (line.kind === 'warning') this.warningTexts.add(line.message);
    else if (line.kind === 'skipped record') this.skippedRecordPaths.add(line.path);
    else if (line.kind === 'skipped special') this.specialsByPath.set(line.path, line);
  }
}

function lineOf(bytes: Buffer): Line | undefined {
  const text = checkedText(bytes);
  return text === undefined ? undefined : parseLine(text);
}

/** The line of a file in place. */
export function fetchedLine(
  planId: string,
  entry: ManifestEntry,
  bytesFetched: number,
): FetchedLine {
  return { kind: 'fetched', planId, entry, bytesFetched };
}
