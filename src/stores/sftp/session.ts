/** One SFTP session on a channel: many requests under way at once, each answered by its number. */
import type { ClientChannel } from 'ssh2';
import type { WaybillError } from '../../model/errors.js';
import { Trickle } from '../lib/trickle.js';
import { connectError, END_OF_FILE, StatusError } from './errors.js';
import { PacketReader, REPLY, REQUEST, requestPacket } from './packets.js';
import type { Attributes, NamedEntry } from './packets.js';

/** OpenSSH sends no larger ones; a larger length is no SFTP. */
const MAX_PACKET_BYTES = 1024 * 1024;

interface Waiting {
  readonly expects: number;
  readonly resolve: (payload: PacketReader) => void;
  readonly reject: (error: Error) => void;
}

/** Made by `openSession`. Every method rejects with StatusError, or what ended the session. */
export class SftpSession {
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 1;
  private header = Buffer.alloc(4);
  private headerBytes = 0;
  private packet: Buffer | undefined;
  private packetBytes = 0;
  private version: Waiting | undefined;
  private failure: Error | undefined;
  private timer: NodeJS.Timeout | undefined;
  private lastMs = 0;
  /** Of the answer that is coming. */
  private readonly trickle: Trickle;

  /**
   * @param shown the server, for errors
   * @param stallMs so long may nothing come while something is asked for; what keeps a connection alive does not count
   */
  constructor(
    private readonly channel: ClientChannel,
    private readonly shown: string,
    readonly stallMs: number,
  ) {
    this.trickle = new Trickle(stallMs);
    channel.on('data', (chunk: Buffer) => this.receive(chunk));
    channel.on('close', () => this.end(this.brokeOff()));
    channel.on('error', (cause: Error) => this.end(this.brokeOff(cause)));
  }

  /** The first exchange. A server without SFTP closes the channel instead. */
  async start(): Promise<void> {
    await new Promise<PacketReader>((resolve, reject) => {
      this.version = { expects: REPLY.VERSION, resolve, reject };
      if (this.failure) {
        reject(this.failure);
        return;
      }
      this.touch();
      this.channel.write(Buffer.from([0, 0, 0, 5, REQUEST.INIT, 0, 0, 0, 3]));
    });
  }

  get isOpen(): boolean {
    return this.failure === undefined;
  }

  /** Requests that wait for an answer. */
  get pending(): number {
    return this.waiting.size;
  }

  async open(path: string): Promise<Buffer> {
    const READ_ONLY = 1;
    const reply = await this.ask(REQUEST.OPEN, REPLY.HANDLE, [bytesOf(path), READ_ONLY, 0]);
    return Buffer.from(reply.bytesOf());
  }

  async openFolder(path: string): Promise<Buffer> {
    const reply = await this.ask(REQUEST.OPENDIR, REPLY.HANDLE, [bytesOf(path)]);
    return Buffer.from(reply.bytesOf());
  }

  /** Some names of a folder; undefined at its end. */
  async readFolder(handle: Buffer): Promise<NamedEntry[] | undefined> {
    try {
      return (await this.ask(REQUEST.READDIR, REPLY.NAME, [handle])).names();
    } catch (error) {
      if (error instanceof StatusError && error.status === END_OF_FILE) return undefined;
      throw error;
    }
  }

  /** Up to so many bytes, fewer where the server likes; undefined at the end of the file. */
  async read(
    handle: Buffer,
    offsetBytes: number,
    lengthBytes: number,
  ): Promise<Buffer | undefined> {
    try {
      const parts = [handle, BigInt(offsetBytes), lengthBytes];
      return (await this.ask(REQUEST.READ, REPLY.DATA, parts)).bytesOf();
    } catch (error) {
      if (error instanceof StatusError && error.status === END_OF_FILE) return undefined;
      throw error;
    }
  }

  async lstat(path: string): Promise<Attributes> {
    return (await this.ask(REQUEST.LSTAT, REPLY.ATTRS, [bytesOf(path)])).attributes();
  }

  async fstat(handle: Buffer): Promise<Attributes> {
    return (await this.ask(REQUEST.FSTAT, REPLY.ATTRS, [handle])).attributes();
  }

  async realPath(path: string): Promise<string> {
    return (await this.ask(REQUEST.REALPATH, REPLY.NAME, [bytesOf(path)])).names()[0]?.name ?? path;
  }

  async readLink(path: string): Promise<string> {
    return (await this.ask(REQUEST.READLINK, REPLY.NAME, [bytesOf(path)])).names()[0]?.name ?? '';
  }

  /** Nobody waits for the answer. */
  close(handle: Buffer): void {
    this.ask(REQUEST.CLOSE, REPLY.STATUS, [handle]).catch(() => undefined);
  }

  /** Every request under way, and every later one, fails with this. */
  end(error: Error): void {
    if (this.failure) return;
    this.failure = error;
    clearTimeout(this.timer);
    this.version?.reject(error);
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }

  private ask(
    type: number,
    expects: number,
    parts: readonly (Buffer | number | bigint)[],
  ): Promise<PacketReader> {
    return new Promise((resolve, reject) => {
      if (this.failure) {
        reject(this.failure);
        return;
      }
      const id = this.nextId;
      this.nextId = (this.nextId + 1) >>> 0;
      if (this.waiting.size === 0) this.touch();
      this.waiting.set(id, { expects, resolve, reject });
      this.channel.write(requestPacket(type, id, parts));
    });
  }

  private receive(chunk: Buffer): void {
    this.lastMs = performance.now();
    let at = 0;
    while (at < chunk.length && this.failure === undefined) {
      if (this.packet === undefined) {
        const taken = chunk.copy(this.header, this.headerBytes, at, at + 4 - this.headerBytes);
        at += taken;
        this.headerBytes += taken;
        if (this.headerBytes < 4) return;
        this.headerBytes = 0;
        const length = this.header.readUInt32BE(0);
        if (length < 1 || length > MAX_PACKET_BYTES) {
          this.end(this.noSftp(this.header));
          return;
        }
        this.packet = Buffer.allocUnsafeSlow(length);
        this.packetBytes = 0;
        this.trickle.restart();
        continue;
      }
      const taken = chunk.copy(this.packet, this.packetBytes, at);
      at += taken;
      this.packetBytes += taken;
      if (this.packetBytes < this.packet.length) {
        const slow = this.trickle.count(taken);
        if (slow !== undefined) {
          this.end(connectError('WB_TIMEOUT', `${this.shown} ${slow.message}`));
        }
        return;
      }
      const { packet } = this;
      this.packet = undefined;
      this.take(packet);
    }
  }

  private take(packet: Buffer): void {
    const type = packet.readUInt8(0);
    const reader = new PacketReader(packet.subarray(1));
    try {
      if (type === REPLY.VERSION) {
        const { version } = this;
        this.version = undefined;
        version?.resolve(reader);
      } else {
        const id = reader.uint32();
        const asked = this.waiting.get(id);
        this.waiting.delete(id);
        if (type === asked?.expects && type !== REPLY.STATUS) asked.resolve(reader);
        else if (type === REPLY.STATUS) settle(asked, reader);
        else throw new RangeError(`an answer of type ${type} that nobody asked for`);
      }
    } catch (cause) {
      this.end(this.noSftp(packet, cause));
    }
    if (this.waiting.size === 0) clearTimeout(this.timer);
  }

  /** Looks again when the time of the last bytes is over; many answers a second cost nothing that way. */
  private touch(): void {
    clearTimeout(this.timer);
    this.lastMs = performance.now();
    const look = (): void => {
      if (this.waiting.size === 0 && this.version === undefined) return;
      const leftMs = this.stallMs - (performance.now() - this.lastMs);
      if (leftMs > 0) {
        this.timer = setTimeout(look, leftMs + 1);
        return;
      }
      const seconds = Math.round(this.stallMs / 100) / 10;
      this.end(connectError('WB_TIMEOUT', `${this.shown} fell silent for ${seconds} s`));
    };
    this.timer = setTimeout(look, this.stallMs + 1);
  }

  private brokeOff(cause?: unknown): WaybillError {
    const why =
      this.version === undefined
        ? 'broke off the connection'
        : 'closed the SFTP channel (is SFTP allowed there?)';
    return connectError('WB_UNAVAILABLE', `${this.shown} ${why}`, { cause });
  }

  private noSftp(bytes: Buffer, cause?: unknown): WaybillError {
    const text = bytes.subarray(0, 40).toString('latin1');
    const isText = /^[\x20-\x7e\r\n\t]{4}/.test(text);
    const why = isText ? ': its shell prints something before SFTP starts' : '';
    return connectError(
      'WB_UNAVAILABLE',
      `${this.shown} does not speak SFTP on the channel${why}`,
      { cause },
    );
  }
}

function settle(asked: Waiting | undefined, reader: PacketReader): void {
  const status = reader.uint32();
  if (asked === undefined) return;
  if (status === 0 && asked.expects === REPLY.STATUS) {
    asked.resolve(reader);
    return;
  }
  let said = '';
  try {
    said = reader.bytesOf().toString('utf8');
  } catch {
    // Old servers send the number alone.
  }
  asked.reject(new StatusError(status, said));
}

function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'utf8');
}
