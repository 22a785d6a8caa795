/** A file of the record that is written piece by piece, and only gets its name when all is known to be well. */
import { randomBytes } from 'node:crypto';
import { open, rename, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { toDestinationError } from './destination-error.js';
import { fsyncDir, remove } from './durable-file.js';

/** Pieces are gathered to about so many characters before they are written. */
const WRITE_CHARACTERS = 256 * 1024;

/** Beside its final name, until `commit`. */
export class FileSpool {
  private readonly temporary: string;
  private handle: FileHandle | undefined;
  private pieces: string[] = [];
  private characters = 0;

  constructor(private readonly path: string) {
    const name = `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`;
    this.temporary = join(dirname(path), name);
  }

  /** Throws WB_NO_SPACE and its kin. */
  async write(text: string): Promise<void> {
    this.pieces.push(text);
    this.characters += text.length;
    if (this.characters >= WRITE_CHARACTERS) await this.flushPieces();
  }

  /** Flushes it and gives it its name; when this resolves, it survives a power cut. A flush that failed is not repeated (rule 14). */
  async commit(): Promise<void> {
    await this.flushPieces();
    try {
      await this.handle?.sync();
      const { handle } = this;
      this.handle = undefined;
      // On a network file system a close may tell of a flush that failed.
      await handle?.close();
      await rename(this.temporary, this.path);
    } catch (error) {
      throw toDestinationError(error, 'write', this.path);
    }
    await fsyncDir(dirname(this.path));
  }

  /** Removes what has no name yet. */
  async drop(): Promise<void> {
    const { handle } = this;
    this.handle = undefined;
    await handle?.close().catch(() => undefined);
    await remove(this.temporary).catch(() => undefined);
  }

  private async flushPieces(): Promise<void> {
    const text = this.pieces.join('');
    this.pieces = [];
    this.characters = 0;
    try {
      this.handle ??= await open(this.temporary, 'wx', 0o666);
      await this.handle.appendFile(text);
    } catch (error) {
      throw toDestinationError(error, 'write', this.path);
    }
  }
}
