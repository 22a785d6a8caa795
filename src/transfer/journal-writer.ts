/** The journal that this process writes: lines that survive a power cut once they are told to be written (rules 14, 15). */
import { randomBytes } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { toDestinationError } from './destination-error.js';
import { fsyncDir } from './durable-file.js';
import type { WriterIdentity } from './journal-lines.js';
import type { LineFiles } from './lines/line-files.js';
import { checkedLine } from './thread/checked-lines.js';

interface OwnFile {
  readonly handle: FileHandle;
  readonly number: number;
  sizeBytes: number;
}

/** Makes its file with the first line, and another one after a write that failed. */
export class JournalWriter {
  private readonly ownNames = new Set<string>();
  private appending: Promise<unknown> = Promise.resolve();
  private own: OwnFile | undefined;

  /** @param files takes the file, so that its lines can be read where they lie */
  constructor(
    private readonly folder: string,
    private readonly writer: WriterIdentity,
    private readonly files: LineFiles,
  ) {}

  /** Whether a journal of this name is one of ours. */
  isOwn(name: string): boolean {
    return this.ownNames.has(name);
  }

  /** Adds lines behind those that were asked for before; when this resolves they are flushed. Answers their places. */
  append(lines: readonly string[]): Promise<number[]> {
    const write = (): Promise<number[]> => this.write(lines);
    // One after another; a failed write must not fail those that come after it.
    const done = this.appending.then(write, write);
    this.appending = done;
    return done;
  }

  /** Ends the file. A write that failed was told to whoever asked for it. */
  async close(): Promise<void> {
    await this.appending.catch(() => undefined);
    await this.drop();
  }

  private async write(lines: readonly string[]): Promise<number[]> {
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

  private async drop(): Promise<void> {
    const { own } = this;
    this.own = undefined;
    await own?.handle.close().catch(() => undefined);
  }
}
