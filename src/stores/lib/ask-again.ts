/** A page of a listing that could not be had is asked for again, where whoever lists wants that; what was listed stays listed. */
import type { ListOptions } from '../store.js';

/** @param first a question that is under way already */
export async function askAgain<T>(
  { again, signal }: Pick<ListOptions, 'again' | 'signal'>,
  ask: () => Promise<T>,
  first: Promise<T> = ask(),
): Promise<T> {
  for (let asked = first; ; asked = ask()) {
    try {
      return await asked;
    } catch (error) {
      signal?.throwIfAborted();
      if (again === undefined) throw error;
      await again(error);
    }
  }
}
