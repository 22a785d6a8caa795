/** Mapping a stream with several items at work at once: what waits for a disk or a server waits together. */

/** Yields what `act` makes of each item, in the order of the items; `atOnce` of them are at work. Fails as the first one does. */
export async function* mapInOrder<T, R>(
  items: AsyncIterable<T>,
  atOnce: number,
  act: (item: T) => R | Promise<R>,
): AsyncGenerator<R> {
  const working: Promise<R>[] = [];
  for await (const item of items) {
    const made = Promise.resolve(act(item));
    // Its failure is thrown where its turn comes; without this, an earlier one would end the process.
    made.catch(() => undefined);
    working.push(made);
    const first = working.length >= atOnce ? working.shift() : undefined;
    if (first !== undefined) yield await first;
  }
  for (const made of working) yield await made;
}
