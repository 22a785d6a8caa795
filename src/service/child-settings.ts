/** What the processes of the service get in their environment beside what is left of the shell's. */
import { userInfo } from 'node:os';

/**
 * glibc makes an arena of its own for each thread that allocates, and keeps in each what was freed: with the
 * threads of a worker that is more than all it uses. Two arenas serve as fast on few cores; buffers of up to
 * 4 MiB are reused instead of mapped anew, and what is free at the top of the heap beyond 32 MiB goes back. glibc
 * reads these once, at the start of a process; other C libraries ignore them.
 */
export const MEMORY_SETTINGS: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '4194304',
  MALLOC_TRIM_THRESHOLD_: '33554432',
};

/**
 * Threads of Node's own for calls to file systems; it has four. A call to a share whose server is away takes one for as long as
 * that lasts, and a pull has up to thirty of them in flight: nobody else may have to wait for these.
 */
export const THREAD_SETTINGS: Readonly<Record<string, string>> = { UV_THREADPOOL_SIZE: '64' };

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
