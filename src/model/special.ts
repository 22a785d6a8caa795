/** What is neither file nor folder at a source: it is listed so that it can be reported, and never opened (rule 24). */
import { formatCount } from './sizes.js';

export const SPECIAL_KINDS = ['fifo', 'socket', 'device', 'other'] as const;
export type SpecialKind = (typeof SPECIAL_KINDS)[number];

/** How many there are of each. */
export type SpecialCounts = Partial<Record<SpecialKind, number>>;

const NOUNS: Readonly<Record<SpecialKind, string>> = {
  fifo: 'FIFO',
  socket: 'socket',
  device: 'device',
  other: 'special file',
};

/** `a FIFO`. */
export function nameSpecial(kind: SpecialKind): string {
  return `a ${NOUNS[kind]}`;
}

export function countSpecials(kinds: Iterable<SpecialKind>): SpecialCounts {
  const counts: SpecialCounts = {};
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** `2 FIFOs, 1 socket`; empty for none. */
export function describeSpecials(counts: SpecialCounts): string {
  const parts = SPECIAL_KINDS.map((kind) => ({ kind, count: counts[kind] ?? 0 }));
  return parts
    .filter(({ count }) => count > 0)
    .map(({ kind, count }) => formatCount(count, NOUNS[kind]))
    .join(', ');
}
