/**
 * The journal: what is in place already. One file per worker process, a CRC per line, a torn tail dropped
 * (rule 15). A `durable` mark is written after the flush and is itself flushed; a line after the last mark counts
 * only on the same host since the same boot, else the file that it names is hashed first.
 */
import type { SpecialKind } from '../model/special.js';
import type { ManifestEntry } from '../manifest/manifest.js';
import { factsOf, type FetchedFacts } from './fetched-facts.js';
import { makeFolderInside } from './durable-file.js';
import {
  fileLineOf,
  parseLine,
  type FailedLine,
  type FetchedLine,
  type FileLine,
  type Line,
  type PublishingLine,
  type SpecialLine,
  type WriterIdentity,
} from './journal-lines.js';
import { JournalNotes } from './journal-notes.js';
import { JournalReader, type Fetched } from './journal-reader.js';
import { JournalWriter } from './journal-writer.js';
import { checkedText } from './thread/checked-lines.js';
import { LineFiles } from './lines/line-files.js';
import { MARKS, PathIndex } from './lines/path-index.js';

export type { FailedLine, FetchedLine, PublishingLine, WriterIdentity } from './journal-lines.js';

/** A fetched line as it was found. */
export interface JournalEntry extends FetchedLine {
  /** False: what it names must be hashed before it is believed. */
  readonly isTrusted: boolean;
}

/** All journals of a record folder, read; and the one that this process appends to. */
export class Journal {
  private readonly files = new LineFiles();
  /** The last line of each file in place. */
  private readonly fetchedLines = new PathIndex();
  private readonly failedLines = new PathIndex();
  /** Gone again as soon as the file is in place: as many as are being published, or were when a process died. */
  private readonly publishingByPath = new Map<string, PublishingLine | string>();
  private readonly notes = new JournalNotes();
  private readonly own: JournalWriter;
  private readonly others: JournalReader;
  private landedBytes = 0;

  private constructor(
    folder: string,
    writer: WriterIdentity,
    private readonly planId: string | undefined,
  ) {
    const own = new JournalWriter(folder, writer, this.files);
    this.own = own;
    this.others = new JournalReader({
      folder,
      reader: writer,
      files: this.files,
      isOwn: (name) => own.isOwn(name),
      taker: {
        takeFetched: (line, isTrusted) => this.takeFetched(line, isTrusted),
        takePublishing: (path, text) => void this.publishingByPath.set(path, text),
        takeOther: (line, place) => this.takeOther(line, place),
      },
    });
  }

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
    return this.others.refresh();
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
    return this.notes.warnings();
  }

  /** Records files in place. When this resolves, the lines survive a power cut. */
  async addFetched(lines: readonly (FetchedLine | FileLine)[]): Promise<void> {
    const written = lines.map(fileLineOf);
    const texts = written.map(({ text }) => text);
    const places = await this.own.append([...texts, JSON.stringify({ kind: 'durable' })]);
    for (const [index, { planId, path, sizeBytes }] of written.entries()) {
      this.takeFetched({ planId, path, sizeBytes, place: places[index] ?? -1 }, true);
    }
  }

  /** Announces files that get their names next. When this resolves, the lines survive a power cut. */
  async addPublishing(lines: readonly (PublishingLine | FileLine)[]): Promise<void> {
    const written = lines.map(fileLineOf);
    await this.own.append(written.map(({ text }) => text));
    for (const { path, text } of written) this.publishingByPath.set(path, text);
  }

  async addFailed(line: FailedLine): Promise<void> {
    const [place = -1] = await this.own.append([JSON.stringify(line)]);
    this.failedLines.set(line.path, place);
  }

  async addWarning(planId: string, message: string): Promise<void> {
    await this.addNote({ kind: 'warning', planId, message });
  }

  /** Records that a file below a `.waybill` folder of the source was left out (rule 23). */
  async addSkippedRecord(planId: string, path: string): Promise<void> {
    await this.addNote({ kind: 'skipped record', planId, path });
  }

  /** The files that `addSkippedRecord` named. */
  skippedRecords(): string[] {
    return this.notes.skippedRecords();
  }

  /** Records that something was left out for it is neither file nor folder (rule 24). */
  async addSpecial(
    planId: string,
    { path, special }: { readonly path: string; readonly special: SpecialKind },
  ): Promise<void> {
    await this.addNote({ kind: 'skipped special', planId, path, special });
  }

  /** What `addSpecial` recorded of one plan. */
  specials(planId: string): SpecialLine[] {
    return this.notes.specials(planId);
  }

  /** Ends the file. A write that failed was told to whoever asked for it. */
  async close(): Promise<void> {
    await this.own.close();
  }

  private async addNote(line: Line): Promise<void> {
    if (this.notes.take(line)) await this.own.append([JSON.stringify(line)]);
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

  private takeOther(line: Line, place: number): void {
    if (line.kind === 'publishing') this.publishingByPath.set(line.entry.path, line);
    else if (line.kind === 'failed') this.failedLines.set(line.path, place);
    else this.notes.take(line);
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
