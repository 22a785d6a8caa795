/** Which thread of a pool gets a task. */
import type { Piscina } from 'piscina';

/** What chooses a thread; null: none of those that run. */
export type LoadBalancer = NonNullable<
  NonNullable<ConstructorParameters<typeof Piscina>[0]>['loadBalancer']
>;
type Thread = Parameters<LoadBalancer>[1][number];

/** How tasks are spread. */
export interface Spreading {
  /** As many as the pool may start. */
  readonly threads: number;
  /** As many as a thread may have; what comes then waits for others to end. */
  readonly mostTasks: number;
  /** With so many of them in each thread another one is started for a task of this name. */
  readonly startsAt: (name: string) => number;
}

/**
 * Gives a task to the thread that has the fewest. By itself a pool fills a thread up before it starts the next: one core
 * would do the work of all, or tasks that do nothing but wait would keep others from being begun.
 */
export function spread({ threads, mostTasks, startsAt }: Spreading): LoadBalancer {
  return ({ name }, running) => {
    const [first, ...others] = running;
    if (first === undefined) return null;
    const least = others.reduce(lessBusy, first);
    const { currentUsage } = least;
    // Nobody is named: the pool starts another.
    if (running.length < threads && currentUsage >= startsAt(name)) return null;
    return currentUsage < mostTasks ? least : null;
  };
}

function lessBusy(a: Thread, b: Thread): Thread {
  return b.currentUsage < a.currentUsage ? b : a;
}
