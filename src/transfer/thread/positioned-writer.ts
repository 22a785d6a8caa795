/** Writes chunks at an offset of a file, in large pieces. */
import { writevSync } from 'node:fs';
import { toDestinationError } from '../destination-error.js';

/** Chunks are gathered up to so many bytes: fewer, larger system calls. */
const GATHER_BYTES = 1_048_576;

/** Gathers chunks and writes them in order from an offset on. Errors are WaybillErrors. */
export class PositionedWriter {
  private chunks: Buffer[] = [];
  private gatheredBytes = 0;

  constructor(
    private readonly fd: number,
    private readonly path: string,
    private positionBytes: number,
  ) {}

  /** Takes a chunk; the caller must not change it afterwards. */
  push(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.gatheredBytes += chunk.length;
    if (this.gatheredBytes >= GATHER_BYTES) this.flush();
  }

  /** Hands everything to the kernel (not to the disk). */
  flush(): void {
    let pending = this.chunks;
    let left = this.gatheredBytes;
    this.chunks = [];
    this.gatheredBytes = 0;
    try {
      while (left > 0) {
        let written = writevSync(this.fd, pending, this.positionBytes);
        this.positionBytes += written;
        left -= written;
        while (written > 0) {
          const first = pending[0];
          if (first === undefined) break;
          if (written < first.length) {
            pending = [first.subarray(written), ...pending.slice(1)];
            break;
          }
          written -= first.length;
          pending = pending.slice(1);
        }
      }
    } catch (error) {
      throw toDestinationError(error, 'write', this.path);
    }
  }
}
