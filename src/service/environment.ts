/** The environment that the service, and with it Temporal and the worker, start with (rule 2). */

/** A process environment as `config.ts` hands it on. */
export type Environment = Readonly<Record<string, string | undefined>>;

const KEPT_NAMES = new Set([
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'LANGUAGE',
  'TMPDIR',
  'TZ',
  'XDG_CACHE_HOME',
  'XDG_CONFIG_HOME',
  'XDG_DATA_HOME',
  'XDG_STATE_HOME',
  'XDG_RUNTIME_DIR',
]);

/**
 * glibc gives freed memory back to the kernel at once by default, and a process that moves gigabytes through
 * 64 KiB buffers pays for each page again. It reads these once, at the start of a process; other C libraries
 * ignore them.
 */
const MEMORY_SETTINGS: Readonly<Record<string, string>> = {
  MALLOC_TRIM_THRESHOLD_: '268435456',
  MALLOC_MMAP_THRESHOLD_: '268435456',
  MALLOC_TOP_PAD_: '16777216',
};

/**
 * What of a shell's environment the service may see: names that say where things are and how to write them,
 * by a list of what is allowed. Whatever can hold a secret, or change what node runs, is not on it. Its
 * children inherit just that.
 */
export function scrubEnvironment(environment: Environment): Record<string, string> {
  const kept: Record<string, string> = { ...MEMORY_SETTINGS };
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined) continue;
    if (KEPT_NAMES.has(name) || name.startsWith('LC_')) kept[name] = value;
  }
  return kept;
}
