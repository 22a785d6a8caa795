/** Which thread of a pool gets a task. */
import type { Piscina } from 'piscina';

/** What chooses a thread; null: none of those that run. */
export type LoadBalancer = NonNullable<
  NonNullable<ConstructorParameters<typeof Piscina>[0]>['loadBalancer']
>;
type Thread = Parameters<LoadBalancer>[1][number];

/**
 * Gives a task to the thread that has the fewest. One of those named `heavy`, which keep a core busy, gets a thread of its
 * own as long as another may be started: by itself the pool fills a thread before it starts the next, and one core would do
 * the work of all.
 * @param threads as many as the pool may start
 * @param mostTasks as many as a thread may have; what comes then waits
 */
export function spread(threads: number, mostTasks: number, heavy: readonly string[]): LoadBalancer {
  return ({ name }, running) => {
    const [first, ...others] = running;
    if (first === undefined) return null;
    const least = others.reduce(lessBusy, first);
    const { currentUsage } = least;
    // Nobody is named: the pool starts another.
    if (currentUsage > 0 && running.length < threads && heavy.includes(name)) return null;
    return currentUsage < mostTasks ? least : null;
  };
}

function lessBusy(a: Thread, b: Thread): Thread {
  return b.currentUsage < a.currentUsage ? b : a;
}
