/** Many short blocking calls in a thread that has other work beside them. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** What each of many items comes to, in order; the thread's other work gets its turn after every `aTurn` of them. */
export async function inTurns<Item, Outcome>(
  items: readonly Item[],
  aTurn: number,
  outcomeOf: (item: Item, position: number) => Outcome,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const item of items) {
    if (outcomes.length % aTurn === aTurn - 1) await nextTurn();
    outcomes.push(outcomeOf(item, outcomes.length));
  }
  return outcomes;
}
