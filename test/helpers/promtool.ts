import { ensureDebianProgram } from './debian.js';
import type { DebianProgram } from './debian.js';

/** promtool, the system's own or from Debian's package in the cache. */
export async function ensurePromtool(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = ['prometheus'];
  return ensureDebianProgram(
    { name: 'prometheus', binary: '/usr/bin/promtool', packages },
    onProgress,
  );
}
