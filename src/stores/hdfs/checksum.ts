/** What HDFS says of a file's checksum, as digests that are computed from the bytes as they come. */
import type { Digests } from '../../model/object-entry.js';
import { ChecksumAnswer, type FileStatus } from './answers.js';

/**
 * The digests in the answer of GETFILECHECKSUM. None for what cannot be computed from the bytes that are read: of an encrypted file
 * the checksum is of what lies on the disks, and of blocks with parity only the composite one is of the bytes alone.
 */
export function digestsOfChecksum(answer: unknown, status: FileStatus): Digests {
  const { data } = ChecksumAnswer.safeParse(answer);
  if (data === undefined || status.encBit === true) return {};
  const { algorithm, bytes, length } = data.FileChecksum;
  const hex = bytes.toLowerCase().slice(0, 2 * length);
  const [, composite] = /^COMPOSITE-(CRC32C?)$/.exec(algorithm) ?? [];
  if (composite !== undefined) {
    // That of the whole file, however it is cut into blocks.
    const crc = hex.slice(0, 8);
    if (!/^[0-9a-f]{8}$/.test(crc)) return {};
    return composite === 'CRC32' ? { crc32: crc } : { crc32c: crc };
  }
  const [, perBlock, perChunk, crc] = /^MD5-of-(\d+)MD5-of-(\d+)(CRC32C?)$/.exec(algorithm) ?? [];
  const md5 = hex.slice(-32);
  if (crc === undefined || status.ecBit === true || !/^[0-9a-f]{32}$/.test(md5)) return {};
  // A file of one block does not say how large it might have been, and an empty one nothing at all.
  const chunkBytes = Number(perChunk) || 512;
  const blockBytes = Number(perBlock) * chunkBytes || (status.blockSize ?? 0);
  if (blockBytes === 0 || blockBytes % chunkBytes !== 0) return {};
  return { md5crc: `${crc.toLowerCase()}/${chunkBytes}/${blockBytes}/${md5}` };
}
