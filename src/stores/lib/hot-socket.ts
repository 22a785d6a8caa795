/**
 * Sockets that are read into one buffer again and again. By itself Node reads into fresh memory each time: for a large body
 * that is a page fault and a cache miss for every few bytes, and costs as much as all the rest of the way to the disk.
 */
import type { OnReadOpts, Socket } from 'node:net';
import { buildConnector } from 'undici';

type Connector = buildConnector.connector;

/** Fits the cache of a core beside what else is in use. */
const BUFFER_BYTES = 256 * 1024;

/**
 * A connector of plain sockets that share a buffer: what `read` returns is overwritten by the next bytes, so it is used or
 * copied at once. What nobody reads when it comes is kept, and the socket rests until it is taken.
 */
export function hotConnector(options: buildConnector.BuildOptions): Connector {
  const sockets = new WeakMap<object, HotReads>();
  const onread: OnReadOpts = {
    buffer: Buffer.allocUnsafeSlow(BUFFER_BYTES),
    callback(this: unknown, count: number, buffer: Uint8Array): boolean {
      return sockets.get(this as object)?.arrive(buffer as Buffer, count) ?? true;
    },
  };
  const connect = buildConnector({ ...options, onread } as buildConnector.BuildOptions);
  return (where, callback) => {
    connect(where, (...[error, socket]: Parameters<buildConnector.Callback>) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      sockets.set(socket, new HotReads(socket));
      callback(null, socket);
    });
  };
}

/** The reading side of one socket, as its reader sees it: `read`, `unshift` and `readableLength`. */
class HotReads {
  /** In the shared buffer; there only while its arrival is told. */
  private fresh: Buffer | undefined;
  /** Copied, older than anything fresh; while there is some, the socket rests. */
  private kept: Buffer | undefined;
  private readonly readOn: () => void;

  constructor(private readonly socket: Socket) {
    const read = socket.read.bind(socket);
    this.readOn = () => void read(0);
    socket.read = (size?: number): unknown => this.take(size);
    socket.unshift = (chunk: Buffer) => {
      this.kept = this.kept ? Buffer.concat([chunk, this.kept]) : Buffer.from(chunk);
    };
    const lengthOf = (): number => (this.kept?.length ?? 0) + (this.fresh?.length ?? 0);
    Object.defineProperty(socket, 'readableLength', { get: lengthOf });
  }

  /** False: the socket is not to be read for now. */
  arrive(buffer: Buffer, count: number): boolean {
    this.fresh = buffer.subarray(0, count);
    this.socket.emit('readable');
    const left = this.fresh;
    this.fresh = undefined;
    if (left.length > 0)
      this.kept = this.kept ? Buffer.concat([this.kept, left]) : Buffer.from(left);
    return this.kept === undefined;
  }

  private take(size: number | undefined): Buffer | null {
    if (size !== 0) {
      if (this.kept) {
        const chunk = this.kept.subarray(0, size);
        this.kept = chunk.length < this.kept.length ? this.kept.subarray(chunk.length) : undefined;
        return chunk;
      }
      if (this.fresh && this.fresh.length > 0) {
        const chunk = this.fresh.subarray(0, size);
        this.fresh = this.fresh.subarray(chunk.length);
        return chunk;
      }
    }
    this.readOn();
    return null;
  }
}
