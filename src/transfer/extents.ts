/** Arithmetic on the parts of a file. */

/** A run of bytes. */
export interface Run {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

const inOrder = (runs: readonly Run[]): Run[] =>
  [...runs].sort((a, b) => a.offsetBytes - b.offsetBytes);

/** How far the file is covered from its start without a gap. */
export function frontierOf(runs: readonly Run[]): number {
  let end = 0;
  for (const run of inOrder(runs)) {
    if (run.offsetBytes > end) break;
    end = Math.max(end, run.offsetBytes + run.lengthBytes);
  }
  return end;
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
