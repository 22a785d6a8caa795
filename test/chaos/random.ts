/** Chance that repeats itself: whatever a campaign decides follows from its seed and the number of the round. */

/** A source of chance. */
export interface Chance {
  /** At least 0, below 1. */
  next(): number;
  /** A whole number, at least `from`, below `to`. */
  between(from: number, to: number): number;
  /** True so often. */
  isTrue(share: number): boolean;
  pick<T>(choices: readonly [T, ...T[]]): T;
  /** Picks by weight. */
  weighted<T>(choices: readonly (readonly [T, number])[]): T;
}

/** The chance of one round of a seed; `purpose` keeps several of them apart. */
export function chanceOf(seed: number, round: number, purpose = ''): Chance {
  let state = 0x9e3779b9;
  for (const character of `${seed}/${round}/${purpose}`) {
    state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x85ebca6b);
    state = (state ^ (state >>> 13)) | 0;
  }
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from));
  return {
    next,
    between,
    isTrue: (share) => next() < share,
    pick: (choices) => choices[between(0, choices.length)] ?? choices[0],
    weighted: (choices) => {
      let left = next() * choices.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [choice, weight] of choices) {
        left -= weight;
        if (left < 0) return choice;
      }
      const last = choices.at(-1);
      if (last === undefined) throw new Error('nothing to choose from');
      return last[0];
    },
  };
}
