import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * File systems whose locks and memory maps SQLite's write-ahead log cannot rely on: more than one host may have
 * the file open. Numbers from statfs(2).
 */
const NETWORK_TYPES: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0x01021997, '9P'],
  [0x00c36400, 'CephFS'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x65735546, 'FUSE'],
]);

/** The network file system that a path, or its nearest existing folder, lies on; undefined when it is local. */
export function networkFileSystem(path: string): string | undefined {
  for (let current = path; ; current = dirname(current)) {
    try {
      // Some types are negative as a signed 32-bit number.
      return NETWORK_TYPES.get(statfsSync(current).type >>> 0);
    } catch {
      if (dirname(current) === current) return undefined;
    }
  }
}
