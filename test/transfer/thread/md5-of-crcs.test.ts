import { describe, expect, it } from '@jest/globals';
import {
  DigestSet,
  digestsOf,
  digestSpecs,
  type DigestSpec,
} from '../../../src/transfer/thread/hashes.js';
import { md5OfCrcs } from '../../helpers/checksums.js';
import { bytesOf } from '../../stores/conformance/tree.js';

const BYTES = bytesOf(5, 70_000);

async function computed(shape: string, bytes: Buffer, pieces: number): Promise<string | undefined> {
  const digests = await DigestSet.start([`md5crc:${shape}`]);
  for (let at = 0; at < bytes.length; at += pieces) digests.update(bytes.subarray(at, at + pieces));
  return digests.finish().md5crc;
}

describe('the checksum of HDFS, computed as the bytes come', () => {
  it('of nothing is the one that every empty file of HDFS has', async () => {
    const expected = 'crc32/512/1024/70bc8f4b72a86921468bf8e8441dce51';
    expect(await computed('crc32/512/1024', Buffer.alloc(0), 1)).toBe(expected);
    expect(md5OfCrcs('crc32/512/1024', Buffer.alloc(0))).toBe(expected);
  });

  it.each([
    ['crc32c/512/1024', 70_000],
    ['crc32/512/1024', 70_000],
    // Ends with a block, with a chunk, and inside of a chunk.
    ['crc32c/512/2048', 4_096],
    ['crc32c/512/4096', 4_608],
    ['crc32c/512/4096', 4_609],
    ['crc32c/4096/65536', 70_000],
    // One, two, and three blocks: the buffer of Hadoop is full, full, and is not.
    ['crc32c/512/65536', 1],
    ['crc32c/512/512', 1_024],
    ['crc32c/512/512', 1_025],
    ['crc32c/512/512', 512 * 5],
  ])('%s of %d bytes, however they come', async (shape, length) => {
    const bytes = BYTES.subarray(0, length);
    const expected = md5OfCrcs(shape, bytes);
    for (const pieces of [length, 511, 512, 1_000, 65_536]) {
      expect(await computed(shape, bytes, pieces)).toBe(expected);
    }
    const spec: DigestSpec = `md5crc:${shape}`;
    expect((await digestsOf([spec], bytes)).md5crc).toBe(expected);
  });

  it('is known by what its value says', () => {
    const md5crc = 'crc32c/512/134217728/cba1b3c2a3299c82c8ec7c2b1936f2db';
    expect(digestSpecs({ md5crc, md5: '00' }, undefined)).toEqual([
      'md5',
      'md5crc:crc32c/512/134217728',
    ]);
  });
});
