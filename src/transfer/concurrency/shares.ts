/** How what is allowed in all is divided: among the live workers, and among the pulls of one worker. */

/** This worker among the live ones of its queue: `index` from 0 in an order that all of them see alike. */
export interface WorkerShare {
  readonly index: number;
  readonly of: number;
}

/** A worker that is alone. */
export const WHOLE: WorkerShare = { index: 0, of: 1 };

/** Its part of a whole number; the parts of all add up to it. At least 1: a worker with none could never finish its work. */
export function wholePart(total: number, { index, of }: WorkerShare): number {
  return Math.max(1, Math.floor(total / of) + (index < total % of ? 1 : 0));
}

/**
 * Divides a limit among users that each may have so many: evenly, and what one cannot use goes to the others. Each gets at
 * least 1.
 */
export function shareOut(limit: number, caps: readonly number[]): number[] {
  const parts = caps.map(() => 1);
  let left = limit - caps.length;
  const order = caps.map((_cap, index) => index).sort((a, b) => (caps[a] ?? 0) - (caps[b] ?? 0));
  for (const [position, index] of order.entries()) {
    if (left <= 0) break;
    const even = Math.ceil(left / (order.length - position));
    const more = Math.min(even, Math.max(0, (caps[index] ?? 1) - 1));
    parts[index] = 1 + more;
    left -= more;
  }
  return parts;
}
