/** Single lines of long files, read where they lie: an index knows the places, a few blocks are kept in memory. */
import { open } from 'node:fs/promises';
import { errnoOf, toDestinationError } from '../destination-error.js';
import { WaybillError } from '../../model/errors.js';

const BLOCK_BYTES = 128 * 1024;

/** 4 MiB: lines that were written together are read together. */
const KEPT_BLOCKS = 32;

/** No file is longer. */
const FILE_BYTES = 2 ** 40;

const LINE_FEED = 10;

const keyOf = (file: number, block: number): number => file * (FILE_BYTES / BLOCK_BYTES) + block;

/** Where a file may lie: it may be moved while it is read (rule 19). */
interface Place {
  readonly paths: readonly string[];
  /** Its inode; undefined: whatever lies there. */
  readonly inode: bigint | undefined;
}

/** Files that are only appended to. */
export class LineFiles {
  private readonly files: Place[] = [];
  private readonly blocks = new Map<number, Promise<Buffer>>();
  /** Those of `blocks` that are read. */
  private readonly read = new Map<number, Buffer>();

  /** Takes a file; the first of the paths under which it is found counts. Answers its number. */
  add(paths: readonly string[], inode?: bigint): number {
    this.files.push({ paths, inode });
    return this.files.length - 1;
  }

  /** The number that names a line of a file. */
  placeOf(file: number, offsetBytes: number): number {
    return file * FILE_BYTES + offsetBytes;
  }

  /** The line at a place where that is in memory as a whole, as `lineAt`; undefined: nobody has looked there lately. */
  lineNow(place: number): Buffer | undefined {
    const file = Math.floor(place / FILE_BYTES);
    const offset = place - file * FILE_BYTES;
    const number = Math.floor(offset / BLOCK_BYTES);
    const block = this.read.get(keyOf(file, number));
    const from = offset - number * BLOCK_BYTES;
    const end = block?.indexOf(LINE_FEED, from) ?? -1;
    return end < 0 ? undefined : block?.subarray(from, end);
  }

  /** The line at a place, without its line feed. Throws WB_LOCAL_DAMAGE where it is gone. */
  async lineAt(place: number): Promise<Buffer> {
    const file = Math.floor(place / FILE_BYTES);
    let offset = place - file * FILE_BYTES;
    const pieces: Buffer[] = [];
    for (;;) {
      const number = Math.floor(offset / BLOCK_BYTES);
      const from = offset - number * BLOCK_BYTES;
      let block = await this.block(file, number);
      let end = block.indexOf(LINE_FEED, from);
      if (end < 0 && block.length < BLOCK_BYTES) {
        // The file has grown since.
        this.forget(keyOf(file, number));
        block = await this.block(file, number);
        end = block.indexOf(LINE_FEED, from);
      }
      if (end >= 0) {
        const piece = block.subarray(from, end);
        return pieces.length === 0 ? piece : Buffer.concat([...pieces, piece]);
      }
      if (block.length < BLOCK_BYTES) throw this.damage(file);
      pieces.push(block.subarray(from));
      offset = (number + 1) * BLOCK_BYTES;
    }
  }

  private async block(file: number, number: number): Promise<Buffer> {
    const key = keyOf(file, number);
    const kept = this.blocks.get(key);
    this.blocks.delete(key);
    const block = kept ?? this.readBlock(file, number);
    this.blocks.set(key, block);
    if (kept === undefined) this.dropOldest();
    try {
      const bytes = await block;
      if (this.blocks.get(key) === block) this.read.set(key, bytes);
      return bytes;
    } catch (error) {
      this.forget(key);
      throw error;
    }
  }

  private dropOldest(): void {
    const oldest = this.blocks.keys().next().value;
    if (this.blocks.size > KEPT_BLOCKS && oldest !== undefined) this.forget(oldest);
  }

  private forget(key: number): void {
    this.blocks.delete(key);
    this.read.delete(key);
  }

  private async readBlock(file: number, number: number): Promise<Buffer> {
    const { paths, inode } = this.files[file] ?? { paths: [], inode: undefined };
    for (const path of paths) {
      try {
        const handle = await open(path, 'r');
        try {
          if (inode !== undefined && (await handle.stat({ bigint: true })).ino !== inode) continue;
          const buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
          const { bytesRead } = await handle.read(buffer, 0, BLOCK_BYTES, number * BLOCK_BYTES);
          return bytesRead === BLOCK_BYTES ? buffer : buffer.subarray(0, bytesRead);
        } finally {
          await handle.close();
        }
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw toDestinationError(error, 'read', path);
      }
    }
    throw this.damage(file);
  }

  private damage(file: number): WaybillError {
    const path = this.files[file]?.paths[0] ?? '';
    return new WaybillError('WB_LOCAL_DAMAGE', `${path} was changed or removed while it was read`, {
      operation: 'read',
    });
  }
}
