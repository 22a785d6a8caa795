/** The bytes of a local file, held to what the file was when it was opened. */
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { samePin, type Pin } from '../../model/object-entry.js';
import { reasonOf } from '../lib/as-error.js';
import type { StorePace } from '../store.js';
import type { LocalPins } from './entry.js';
import { errorOfFileSystem, localError, type LocalPlace } from './errors.js';

/** Large enough that system calls cost nothing beside the copy. */
const CHUNK_BYTES = 1024 * 1024;

/** Reads `[offsetBytes, endBytes)`; before its end it checks that the file is still the pinned one, else WB_SOURCE_CHANGED. */
export class LocalBody extends Readable {
  private isReading = false;
  private readonly onAbort = (): void => {
    this.destroy(reasonOf(this.signal));
  };

  constructor(
    private readonly handle: FileHandle,
    private readonly pin: Pin,
    private readonly pins: LocalPins,
    private offsetBytes: number,
    private readonly endBytes: number,
    private readonly place: LocalPlace,
    private readonly signal: AbortSignal | undefined,
    private readonly pace: StorePace | undefined,
    private readonly judged: (error: unknown) => Promise<Error>,
  ) {
    // One chunk is read ahead while the last one is used.
    super({ highWaterMark: 2 * CHUNK_BYTES });
    // It may fail before its reader listens; the reader finds the error all the same.
    this.on('error', () => undefined);
    signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  override _read(): void {
    this.readNext().then(
      (chunk) => this.push(chunk),
      async (error: unknown) =>
        this.destroy(await this.judged(errorOfFileSystem(error, this.place))),
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.signal?.removeEventListener('abort', this.onAbort);
    // NFS may report a late error on close; these bytes were read and counted already.
    const closed = this.handle.close().catch(() => undefined);
    // A read that a share does not answer keeps the close waiting as well: nobody waits for that.
    if (this.isReading) callback(error);
    else void closed.then(() => callback(error));
  }

  private async readNext(): Promise<Buffer | null> {
    const most = Math.min(CHUNK_BYTES, this.pace?.quantumBytes() ?? CHUNK_BYTES);
    const wanted = Math.min(most, this.endBytes - this.offsetBytes);
    if (wanted <= 0) {
      await this.checkUnchanged();
      return null;
    }
    const chunk = Buffer.allocUnsafeSlow(wanted);
    this.isReading = true;
    const { bytesRead } = await this.handle
      .read(chunk, 0, wanted, this.offsetBytes)
      .finally(() => (this.isReading = false));
    if (bytesRead === 0) {
      await this.checkUnchanged();
      throw localError('WB_SIZE_MISMATCH', 'ended before its size', this.place);
    }
    await this.pace?.afterBytes(bytesRead);
    this.offsetBytes += bytesRead;
    return bytesRead === wanted ? chunk : chunk.subarray(0, bytesRead);
  }

  private async checkUnchanged(): Promise<void> {
    const now = this.pins.pinOf(await this.handle.stat({ bigint: true }));
    if (samePin(now, this.pin)) return;
    throw localError('WB_SOURCE_CHANGED', 'changed while it was read', this.place);
  }
}
