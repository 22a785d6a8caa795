/** Reads the journals of other processes, further each time: what a mark, the host and the boot say of a line (rule 15). */
import { join } from 'node:path';
import { toDestinationError } from './destination-error.js';
import {
  keysOf,
  parseLine,
  type Line,
  type LineKeys,
  type WriterIdentity,
} from './journal-lines.js';
import { journalsByAge } from './journals-by-age.js';
import type { LineFiles } from './lines/line-files.js';
import { scanLines } from './lines/scan-lines.js';
import { checkedText } from './thread/checked-lines.js';

/** Read at once: whoever else needs the thread waits no longer than a few thousand lines take. */
const READ_BYTES = 256 * 1024;

/** A fetched line, and where it lies. */
export type Fetched = Omit<LineKeys, 'kind'> & { readonly place: number };

/** Takes what is read, in the order in which it was written. */
export interface LineTaker {
  /** @param isTrusted false: what the line names must be hashed before it is believed. A later call may say more. */
  takeFetched(line: Fetched, isTrusted: boolean): void;
  /** A line as text, which need not be parsed yet. */
  takePublishing(path: string, text: string): void;
  takeOther(line: Line, place: number): void;
}

/** A file of another process, and how far it is read. */
interface JournalFile {
  readonly number: number;
  readBytes: number;
  isSameBoot: boolean;
  /** Fetched lines after the last mark. */
  readonly pending: Fetched[];
}

export interface JournalReaderOptions {
  readonly folder: string;
  /** Who reads: lines of the same host since the same boot need no mark. */
  readonly reader: WriterIdentity;
  readonly files: LineFiles;
  /** Files that are not read: their lines are known. */
  readonly isOwn: (name: string) => boolean;
  readonly taker: LineTaker;
}

export class JournalReader {
  private readonly others = new Map<string, JournalFile>();
  private reading: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: JournalReaderOptions) {}

  /** Reads what has been written since. Throws WB_DESTINATION_FAILED and its kin. */
  refresh(): Promise<void> {
    const read = async (): Promise<void> => {
      try {
        await this.readAll();
      } catch (error) {
        throw toDestinationError(error, 'read the journal', this.options.folder);
      }
    };
    const done = this.reading.then(read, read);
    this.reading = done;
    return done;
  }

  private async readAll(): Promise<void> {
    const { folder, files, isOwn } = this.options;
    for (const name of await journalsByAge(folder)) {
      if (isOwn(name)) continue;
      const path = join(folder, name);
      const file = this.others.get(name) ?? newJournalFile(files.add([path]));
      this.others.set(name, file);
      await this.read(path, file);
    }
  }

  private async read(path: string, file: JournalFile): Promise<void> {
    const { files, taker } = this.options;
    const pieces = scanLines(path, { fromBytes: file.readBytes, chunkBytes: READ_BYTES });
    for await (const lines of pieces) {
      for (const { bytes, offsetBytes } of lines) {
        file.readBytes = offsetBytes + bytes.length + 1;
        const text = checkedText(bytes);
        if (text !== undefined) this.readLine(text, file, files.placeOf(file.number, offsetBytes));
      }
    }
    // A mark may still come for them.
    for (const line of file.pending) taker.takeFetched(line, file.isSameBoot);
  }

  private readLine(text: string, file: JournalFile, place: number): void {
    const { reader, taker } = this.options;
    const keys = keysOf(text);
    if (keys !== undefined) {
      if (keys.kind === 'fetched') file.pending.push({ ...keys, place });
      else taker.takePublishing(keys.path, text);
      return;
    }
    const line = parseLine(text);
    if (line?.kind === 'head') {
      this.settle(file, file.isSameBoot);
      file.isSameBoot = line.host === reader.host && line.bootId === reader.bootId;
    } else if (line?.kind === 'durable') this.settle(file, true);
    else if (line?.kind === 'fetched') {
      file.pending.push({ ...line.entry, planId: line.planId, place });
    } else if (line !== undefined) taker.takeOther(line, place);
  }

  private settle(file: JournalFile, isTrusted: boolean): void {
    for (const line of file.pending.splice(0)) this.options.taker.takeFetched(line, isTrusted);
  }
}

function newJournalFile(number: number): JournalFile {
  return { number, readBytes: 0, isSameBoot: false, pending: [] };
}
