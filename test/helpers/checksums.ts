/** Reference checksums, computed bit by bit as their definitions say, to hold the fast ones against. */
import { createHash } from 'node:crypto';

function reflectedCrc(bytes: Uint8Array, polynomial: number): string {
  const table = Uint32Array.from({ length: 256 }, (_, index) => {
    let value = index;
    for (let bit = 0; bit < 8; bit += 1)
      value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
    return value >>> 0;
  });
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (table[(crc ^ byte) & 0xff] ?? 0);
  return ((crc ^ 0xffffffff) >>> 0).toString(16).padStart(8, '0');
}

/** CRC-64/NVME: polynomial ad93d23594c93659, reflected, all ones in and out. */
function crc64nvme(bytes: Uint8Array): string {
  const polynomial = 0x9a6c9329ac4bc9b5n;
  const all = 0xffffffffffffffffn;
  const table = Array.from({ length: 256 }, (_, index) => {
    let value = BigInt(index);
    for (let bit = 0; bit < 8; bit += 1)
      value = value & 1n ? (value >> 1n) ^ polynomial : value >> 1n;
    return value;
  });
  let crc = all;
  for (const byte of bytes) {
    crc = (crc >> 8n) ^ (table[Number((crc ^ BigInt(byte)) & 0xffn)] ?? 0n);
  }
  return (crc ^ all).toString(16).padStart(16, '0');
}

/**
 * What HDFS calls MD5-of-MD5-of-CRC. Its client hashes the whole buffer of the blocks' MD5s, which doubles from 32 bytes on.
 * @param shape `crc32c/512/1048576`
 */
export function md5OfCrcs(shape: string, bytes: Uint8Array): string {
  const [crc = '', chunk, block] = shape.split('/');
  const md5 = (data: Uint8Array): Buffer => createHash('md5').update(data).digest();
  const cut = (data: Uint8Array, size: number): Uint8Array[] =>
    Array.from({ length: Math.ceil(data.length / size) }, (_, at) =>
      data.subarray(at * size, (at + 1) * size),
    );
  const blocks = cut(bytes, Number(block)).map((one) => {
    const crcs = cut(one, Number(chunk)).map((part) => Buffer.from(checksumOf(crc, part), 'hex'));
    return md5(Buffer.concat(crcs));
  });
  const used = 16 * blocks.length;
  const buffer = Buffer.alloc(Math.max(32, 2 ** Math.ceil(Math.log2(used))));
  Buffer.concat(blocks).copy(buffer);
  return `${shape}/${md5(buffer).toString('hex')}`;
}

/** The checksum of a name of `DigestName`, as lowercase hex. */
export function checksumOf(name: string, bytes: Uint8Array): string {
  if (name === 'crc32') return reflectedCrc(bytes, 0xedb88320);
  if (name === 'crc32c') return reflectedCrc(bytes, 0x82f63b78);
  if (name === 'crc64nvme') return crc64nvme(bytes);
  return createHash(name).update(bytes).digest('hex');
}
