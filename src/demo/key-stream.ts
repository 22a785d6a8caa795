import { createCipheriv, createHash } from 'node:crypto';

const BLOCK_BYTES = 16;

/**
 * Bytes that follow from a name and a position, look random and are made at more than 1 GB/s: a large file that
 * need not lie anywhere.
 */
export function keyStreamBytes(name: string, offsetBytes: number, lengthBytes: number): Buffer {
  const seed = createHash('sha256').update(name).digest();
  const block = Math.floor(offsetBytes / BLOCK_BYTES);
  const skipped = offsetBytes - block * BLOCK_BYTES;
  const start = Buffer.alloc(BLOCK_BYTES);
  start.writeBigUInt64BE(BigInt(block), 8);
  seed.copy(start, 0, 16, 24);
  const cipher = createCipheriv('aes-128-ctr', seed.subarray(0, 16), start);
  return cipher.update(Buffer.alloc(skipped + lengthBytes)).subarray(skipped);
}

/** The SHA-256, in lowercase hex, of the first `sizeBytes` of a name's bytes. */
export function keyStreamDigest(name: string, sizeBytes: number): string {
  const hash = createHash('sha256');
  const step = 4 * 1024 * 1024;
  for (let offset = 0; offset < sizeBytes; offset += step) {
    hash.update(keyStreamBytes(name, offset, Math.min(step, sizeBytes - offset)));
  }
  return hash.digest('hex');
}
