/**
 * The checksum that HDFS gives of a file: the MD5 of the MD5s of its blocks, each of them the MD5 of the CRCs of its chunks.
 * Computed as the bytes come: what is kept is one chunk's CRCs, however large the file.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { createCRC32 } from 'hash-wasm';
import { WaybillError } from '../../model/errors.js';

/** As it is written in front of the value: `crc32c/512/134217728`. */
export interface Md5OfCrcs {
  readonly crc: 'crc32' | 'crc32c';
  readonly chunkBytes: number;
  readonly blockBytes: number;
}

const CASTAGNOLI = 0x82f63b78;
const CRC_BYTES = 4;
const MD5_BYTES = 16;

/** CRCs wait for so many others before they are hashed. */
const CRCS_AT_ONCE = 4_096;

/** Hadoop hashes the buffer that holds the MD5s of the blocks, and not what is in it: zeros follow up to its capacity. */
const BUFFER_BYTES = 32;

/** What a value says of itself. Throws WB_UNEXPECTED for what is none. */
export function parseMd5OfCrcs(text: string): Md5OfCrcs {
  const [, crc, chunk, block] = /^(crc32c?)\/(\d+)\/(\d+)$/.exec(text) ?? [];
  const chunkBytes = Number(chunk);
  const blockBytes = Number(block);
  if ((crc === 'crc32' || crc === 'crc32c') && chunkBytes > 0 && blockBytes > 0) {
    return { crc, chunkBytes, blockBytes };
  }
  throw new WaybillError('WB_UNEXPECTED', `${text} says no way to compute a checksum of HDFS`);
}

/** Computes it; `hex` may be asked once, and gives lowercase hex. */
export class Md5OfCrcsDigest {
  private readonly file = createHash('md5');
  private block = createHash('md5');
  private readonly crcs = Buffer.alloc(CRC_BYTES * CRCS_AT_ONCE);
  private waiting = 0;
  private blocks = 0;
  private inBlock = 0;
  private inChunk = 0;

  private constructor(
    private readonly shape: Md5OfCrcs,
    private readonly chunk: ChunkCrc,
  ) {}

  static async start(shape: Md5OfCrcs): Promise<Md5OfCrcsDigest> {
    return new Md5OfCrcsDigest(shape, shape.crc === 'crc32' ? zlibCrc() : await castagnoliCrc());
  }

  update(bytes: Uint8Array): void {
    const { chunkBytes, blockBytes } = this.shape;
    for (let at = 0; at < bytes.length;) {
      const room = Math.min(chunkBytes - this.inChunk, blockBytes - this.inBlock);
      const end = Math.min(bytes.length, at + room);
      this.chunk.update(bytes.subarray(at, end));
      this.inChunk += end - at;
      this.inBlock += end - at;
      at = end;
      if (this.inChunk === chunkBytes) this.endChunk();
      if (this.inBlock === blockBytes) this.endBlock();
    }
  }

  hex(): string {
    if (this.inBlock > 0) this.endBlock();
    const used = this.blocks * MD5_BYTES;
    let capacity = BUFFER_BYTES;
    while (capacity < used) capacity *= 2;
    return this.file.update(Buffer.alloc(capacity - used)).digest('hex');
  }

  private endChunk(): void {
    this.crcs.writeUInt32BE(this.chunk.finish(), CRC_BYTES * this.waiting);
    this.inChunk = 0;
    this.waiting += 1;
    if (this.waiting === CRCS_AT_ONCE) this.hashWaiting();
  }

  private endBlock(): void {
    if (this.inChunk > 0) this.endChunk();
    this.hashWaiting();
    this.file.update(this.block.digest());
    this.block = createHash('md5');
    this.blocks += 1;
    this.inBlock = 0;
  }

  private hashWaiting(): void {
    this.block.update(this.crcs.subarray(0, CRC_BYTES * this.waiting));
    this.waiting = 0;
  }
}

/** The CRC of one chunk after another. */
interface ChunkCrc {
  update(bytes: Uint8Array): void;
  /** The CRC of what came since the last one. */
  finish(): number;
}

function zlibCrc(): ChunkCrc {
  let value = 0;
  return {
    update: (bytes) => {
      value = crc32(bytes, value);
    },
    finish: () => {
      const whole = value;
      value = 0;
      return whole;
    },
  };
}

async function castagnoliCrc(): Promise<ChunkCrc> {
  const hasher = await createCRC32(CASTAGNOLI);
  hasher.init();
  return {
    update: (bytes) => void hasher.update(bytes),
    finish: () => {
      const whole = Buffer.from(hasher.digest('binary')).readUInt32BE();
      hasher.init();
      return whole;
    },
  };
}
