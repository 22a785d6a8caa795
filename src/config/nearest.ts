/** The word that was likely meant. */

/** How many letters have to be put in, taken out, changed or swapped with their neighbour. */
function distance(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const isSame = from[i - 1] === to[j - 1];
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      next.push(
        Math.min(
          (row[j] ?? 0) + 1,
          (next[j - 1] ?? 0) + 1,
          (row[j - 1] ?? 0) + (isSame ? 0 : 1),
          isSwap ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    before = row;
    row = next;
  }
  return row[to.length] ?? 0;
}

/** The nearest of the words; undefined if none is near: more than a third of it would have to change. */
export function nearestOf(word: string, words: readonly string[]): string | undefined {
  const asked = word.toLowerCase().replaceAll('_', '-');
  const [best] = words
    .map((known) => ({ known, away: distance(asked, known.toLowerCase().replaceAll('_', '-')) }))
    .sort((a, b) => a.away - b.away);
  return best !== undefined && best.away <= Math.ceil(word.length / 3) ? best.known : undefined;
}
