/** Waiting for something, but not for ever. */

/** Whether something is over within so long. The timer does not outlive the question. */
export async function within(over: Promise<true>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(resolve, ms, false)));
  return Promise.race([over, late]).finally(() => clearTimeout(timer));
}

/** Resolves when it settles, however that is. */
export function settled(promise: Promise<unknown>): Promise<true> {
  return promise.then(
    () => true as const,
    () => true as const,
  );
}
