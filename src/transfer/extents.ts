/** Arithmetic on the parts of a file. */

/** A run of bytes. */
export interface Run {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

const inOrder = (runs: readonly Run[]): Run[] =>
  [...runs].sort((a, b) => a.offsetBytes - b.offsetBytes);

/** How far a file is covered from its start without a gap, while runs that do not overlap are added in any order. */
export class Frontier {
  private end = 0;
  /** Runs behind a gap: where each begins and ends. */
  private readonly ahead = new Map<number, number>();

  get bytes(): number {
    return this.end;
  }

  add({ offsetBytes, lengthBytes }: Run): void {
    if (lengthBytes > 0) this.ahead.set(offsetBytes, offsetBytes + lengthBytes);
    for (let next = this.ahead.get(this.end); next !== undefined; next = this.ahead.get(this.end)) {
      this.ahead.delete(this.end);
      this.end = next;
    }
  }
}

/** All bytes of the runs, which must not overlap. */
export function bytesOf(runs: readonly Run[]): number {
  return runs.reduce((total, run) => total + run.lengthBytes, 0);
}

/** What no run covers; cut at multiples of `partBytes` where that is given. */
export function gapsOf(runs: readonly Run[], sizeBytes: number, partBytes?: number): Run[] {
  const gaps: Run[] = [];
  let end = 0;
  const close = (until: number): void => {
    while (end < until) {
      const boundary =
        partBytes === undefined ? until : (Math.floor(end / partBytes) + 1) * partBytes;
      const to = Math.min(until, boundary);
      gaps.push({ offsetBytes: end, lengthBytes: to - end });
      end = to;
    }
  };
  for (const run of inOrder(runs)) {
    close(run.offsetBytes);
    end = Math.max(end, run.offsetBytes + run.lengthBytes);
  }
  close(sizeBytes);
  return gaps;
}

/** Runs that touch become one, as long as they lie in the same part. */
export function joinRuns(runs: readonly Run[], partBytes: number): Run[] {
  const joined: Run[] = [];
  for (const run of inOrder(runs)) {
    const last = joined.at(-1);
    const touches = last !== undefined && last.offsetBytes + last.lengthBytes === run.offsetBytes;
    if (touches && run.offsetBytes % partBytes !== 0) {
      const { offsetBytes, lengthBytes } = last;
      joined[joined.length - 1] = { offsetBytes, lengthBytes: lengthBytes + run.lengthBytes };
    } else joined.push({ offsetBytes: run.offsetBytes, lengthBytes: run.lengthBytes });
  }
  return joined;
}
