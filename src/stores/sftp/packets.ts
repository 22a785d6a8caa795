/** Packets of SFTP version 3, as far as reading needs them. Names are bytes. */
import { nameOfBytes } from '../lib/byte-names.js';

export const REQUEST = {
  INIT: 1,
  OPEN: 3,
  CLOSE: 4,
  READ: 5,
  LSTAT: 7,
  FSTAT: 8,
  OPENDIR: 11,
  READDIR: 12,
  REALPATH: 16,
  READLINK: 19,
} as const;

export const REPLY = {
  VERSION: 2,
  STATUS: 101,
  HANDLE: 102,
  DATA: 103,
  NAME: 104,
  ATTRS: 105,
} as const;

/** What a server says about a file. */
export interface Attributes {
  readonly sizeBytes?: number;
  /** Type and rights, as `stat` of POSIX has them. */
  readonly mode?: number;
  /** In seconds. */
  readonly modifiedS?: number;
}

/** One name of a listing. */
export interface NamedEntry {
  readonly name: string;
  readonly attributes: Attributes;
}

/** A packet of a request: its length, type, number and parts. */
export function requestPacket(
  type: number,
  id: number,
  parts: readonly (Buffer | number | bigint)[],
): Buffer {
  const body = parts.reduce<number>((sum, part) => sum + sizeOf(part), 0);
  const packet = Buffer.allocUnsafe(9 + body);
  packet.writeUInt32BE(5 + body, 0);
  packet.writeUInt8(type, 4);
  packet.writeUInt32BE(id, 5);
  let at = 9;
  for (const part of parts) {
    if (typeof part === 'number') packet.writeUInt32BE(part, at);
    else if (typeof part === 'bigint') packet.writeBigUInt64BE(part, at);
    else {
      packet.writeUInt32BE(part.length, at);
      part.copy(packet, at + 4);
    }
    at += sizeOf(part);
  }
  return packet;
}

function sizeOf(part: Buffer | number | bigint): number {
  if (typeof part === 'number') return 4;
  return typeof part === 'bigint' ? 8 : 4 + part.length;
}

/** Reads the parts of a reply. Past its end: RangeError, which ends the session. */
export class PacketReader {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  uint32(): number {
    const value = this.bytes.readUInt32BE(this.at);
    this.at += 4;
    return value;
  }

  uint64(): number {
    const value = this.bytes.readBigUInt64BE(this.at);
    this.at += 8;
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError('a size past 2^53');
    return Number(value);
  }

  bytesOf(): Buffer {
    const length = this.uint32();
    if (this.at + length > this.bytes.length) throw new RangeError('a part past the end');
    const part = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return part;
  }

  attributes(): Attributes {
    const flags = this.uint32();
    const sizeBytes = (flags & 0x1) === 0 ? undefined : this.uint64();
    if ((flags & 0x2) !== 0) this.at += 8;
    const mode = (flags & 0x4) === 0 ? undefined : this.uint32();
    let modifiedS: number | undefined;
    if ((flags & 0x8) !== 0) {
      this.uint32();
      modifiedS = this.uint32();
    }
    if ((flags & 0x8000_0000) !== 0) {
      for (let left = this.uint32(); left > 0; left -= 1) {
        this.bytesOf();
        this.bytesOf();
      }
    }
    return {
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      ...(mode === undefined ? {} : { mode }),
      ...(modifiedS === undefined ? {} : { modifiedS }),
    };
  }

  names(): NamedEntry[] {
    const count = this.uint32();
    const entries: NamedEntry[] = [];
    for (let left = count; left > 0; left -= 1) {
      const name = nameOfBytes(this.bytesOf());
      // The line of `ls -l`, for people.
      this.bytesOf();
      entries.push({ name, attributes: this.attributes() });
    }
    return entries;
  }
}
