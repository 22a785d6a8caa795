/** A stream that is asked for its first item before anybody wants it. */

/** The stream, and its end where nobody will ever read it. */
export interface Begun<T> {
  readonly items: AsyncGenerator<T>;
  /** Ends it in the background; a failure that nobody has seen yet is nobody's. */
  drop(): void;
}

/** Asks for the first item now; a failure is thrown to whoever reads. */
export function beginNow<T>(items: AsyncGenerator<T>): Begun<T> {
  const first = items.next();
  first.catch(() => undefined);
  const rest = async function* (): AsyncGenerator<T> {
    try {
      const step = await first;
      if (step.done === true) return;
      yield step.value;
      yield* items;
    } finally {
      await items.return(undefined);
    }
  };
  return { items: rest(), drop: () => void items.return(undefined).catch(() => undefined) };
}
