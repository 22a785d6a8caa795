/** Writes chunks at an offset of a file, in large pieces. */
import { writeSync } from 'node:fs';
import { toDestinationError } from '../destination-error.js';

/** Chunks that are smaller are gathered up to so many bytes: fewer, larger system calls. */
const GATHER_BYTES = 131_072;

/** Takes chunks and writes them in order from an offset on. Errors are WaybillErrors. */
export class PositionedWriter {
  private gathered: Buffer[] = [];
  private gatheredBytes = 0;

  constructor(
    private readonly fd: number,
    private readonly path: string,
    private positionBytes: number,
  ) {}

  /** Takes a chunk; nothing of it is kept, the caller may change it afterwards. */
  push(chunk: Buffer): void {
    if (this.gatheredBytes + chunk.length > GATHER_BYTES) this.flush();
    if (chunk.length >= GATHER_BYTES / 2) {
      this.flush();
      this.write(chunk);
      return;
    }
    this.gathered.push(Buffer.from(chunk));
    this.gatheredBytes += chunk.length;
  }

  /** Hands everything to the kernel (not to the disk). */
  flush(): void {
    const [first] = this.gathered;
    if (first === undefined) return;
    const pending = this.gathered.length === 1 ? first : Buffer.concat(this.gathered);
    this.gathered = [];
    this.gatheredBytes = 0;
    this.write(pending);
  }

  private write(chunk: Buffer): void {
    writeAt(this.fd, this.path, chunk, this.positionBytes);
    this.positionBytes += chunk.length;
  }
}

/** Writes all of a chunk at an offset. Errors are WaybillErrors. */
export function writeAt(fd: number, path: string, chunk: Buffer, offsetBytes: number): void {
  try {
    for (let done = 0; done < chunk.length;) {
      done += writeSync(fd, chunk, done, chunk.length - done, offsetBytes + done);
    }
  } catch (error) {
    throw toDestinationError(error, 'write', path);
  }
}
