/** The shells beside bash that a person may have. */
import { ensureDebianProgram, type DebianProgram } from './debian.js';

/** zsh, the system's own or from Debian's packages in the cache. */
export function ensureZsh(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = ['zsh', 'zsh-common', 'libtinfo6', 'libcap2'];
  return ensureDebianProgram({ name: 'zsh', binary: '/bin/zsh', packages }, onProgress);
}

/** fish, the system's own or from Debian's packages in the cache. */
export function ensureFish(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = ['fish', 'fish-common', 'libpcre2-32-0', 'libtinfo6'];
  return ensureDebianProgram({ name: 'fish', binary: '/usr/bin/fish', packages }, onProgress);
}
