import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until a condition holds; fails after `timeoutMs` with its name. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) throw new Error(`waited in vain until ${what}`);
    await sleep(20);
  }
}
