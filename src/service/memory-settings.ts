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
