/** The digests of recorded parts, and what is made of those that an earlier release has written. */
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readSidecar } from '../../src/transfer/sidecar.js';
import { ExtentLog } from '../../src/transfer/thread/append-extent.js';
import { Cell } from '../../src/transfer/thread/cell.js';
import { hashExtents } from '../../src/transfer/thread/hash-file.js';
import { keyOf, PartMac } from '../../src/transfer/thread/part-mac.js';
import { scratchFolder } from '../helpers/processes.js';

const MiB = 1024 * 1024;
const PART = randomBytes(MiB + 5);

function macOf(bytes: Buffer, chunkBytes: number, key?: Buffer): string {
  const mac = new PartMac(key);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    mac.update(bytes.subarray(at, at + chunkBytes));
  }
  return mac.digest();
}

describe('the digest of a part', () => {
  it('is the same however the bytes are cut, and has a key of its own each time', () => {
    const mac = macOf(PART, PART.length);
    expect(mac).toMatch(/^[0-9a-f]{64}$/u);
    for (const chunkBytes of [1_001, 16 * 1024, 100_000]) {
      expect(macOf(PART, chunkBytes, keyOf(mac))).toBe(mac);
    }
    expect(macOf(PART, PART.length)).not.toBe(mac);
  });

  it('rule 16: differs for a flipped bit, a lost tail, swapped blocks and zeros', () => {
    const mac = macOf(PART, PART.length);
    const again = (bytes: Buffer): string => macOf(bytes, 65_536, keyOf(mac));
    const flipped = Buffer.from(PART);
    flipped[700_001] = (flipped[700_001] ?? 0) ^ 4;
    const swapped = Buffer.concat([
      PART.subarray(4_096, 8_192),
      PART.subarray(0, 4_096),
      PART.subarray(8_192),
    ]);
    const lost = PART.subarray(0, MiB);
    const zeroed = Buffer.from(PART).fill(0, 16, 32);
    const padded = Buffer.concat([PART, Buffer.alloc(1)]);
    for (const wrong of [flipped, swapped, lost, zeroed, padded]) {
      expect(again(wrong)).not.toBe(mac);
    }
  });

  it('rule 16: proves parts of this release and of the last, and neither where the disk differs', async () => {
    const folder = scratchFolder('part-mac');
    const path = join(folder, 'partial');
    const sidecarPath = join(folder, 'partial.parts');
    const place = { offsetBytes: 0, lengthBytes: PART.length };
    const sha256 = createHash('sha256').update(PART).digest('hex');
    const mac = macOf(PART, 65_536);
    const log = new ExtentLog(sidecarPath);
    log.append({ ...place, sha256 });
    log.append({ ...place, offsetBytes: PART.length, mac });
    log.close();
    const { extents } = readSidecar(sidecarPath);
    expect(extents).toHaveLength(2);
    const digests = async (second: Buffer): Promise<unknown> => {
      writeFileSync(path, Buffer.concat([PART, second]));
      return hashExtents({ cell: new Cell().memory, path, extents });
    };
    expect(await digests(PART)).toEqual({ kind: 'hashed', digests: [sha256, mac] });
    const damaged = Buffer.from(PART).fill(0, 4_096, 4_097);
    damaged[9] = (damaged[9] ?? 0) ^ 1;
    const found = (await digests(damaged)) as { digests: string[] };
    expect(found.digests[0]).toBe(sha256);
    expect(found.digests[1]).not.toBe(mac);
    expect(await digests(PART.subarray(0, 9))).toEqual({
      kind: 'hashed',
      digests: [sha256, undefined],
    });
  });
});
