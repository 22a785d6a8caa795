/** What the processes of the service get in their environment beside what is left of the shell's. */
import { userInfo } from 'node:os';

/**
 * glibc gives freed memory back to the kernel at once by default, and a process that moves gigabytes through
 * 64 KiB buffers pays for each page again. It reads these once, at the start of a process; other C libraries
 * ignore them.
 */
export const MEMORY_SETTINGS: Readonly<Record<string, string>> = {
  MALLOC_TRIM_THRESHOLD_: '268435456',
  MALLOC_MMAP_THRESHOLD_: '268435456',
  MALLOC_TOP_PAD_: '16777216',
};

/**
 * A container's random user id has no name and often no HOME, and Temporal's server does not start without
 * them. Where the system knows them nothing is added: a made-up HOME would hide the user's own files.
 */
export function namelessUserSettings(
  environment: Readonly<Record<string, string>>,
  home: string,
): Record<string, string> {
  try {
    userInfo();
    return {};
  } catch {
    return { USER: 'waybill', HOME: home, ...pickSet(environment) };
  }
}

function pickSet({ USER, HOME }: Readonly<Record<string, string>>): Record<string, string> {
  return { ...(USER ? { USER } : {}), ...(HOME ? { HOME } : {}) };
}
