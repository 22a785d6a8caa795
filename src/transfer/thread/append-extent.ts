/**
 * The sidecar of a partial: one line for each stretch that was written, with its digest. The threads append in single
 * writes; what is written here is a claim, not a proof (rule 16). Read by `../sidecar.ts`.
 */
import { openSync, writeSync } from 'node:fs';
import { checkedLine } from './checked-lines.js';
import { closeQuietly } from './close-once.js';
import type { Extent } from './tasks.js';

/** Records what one stream has written. It is opened with the first line, and once: a network disk flushes at each close. */
export class ExtentLog {
  private fd: number | undefined;

  constructor(private readonly sidecarPath: string) {}

  append(extent: Extent): void {
    this.fd ??= openSync(this.sidecarPath, 'a', 0o600);
    const line = Buffer.from(checkedLine(JSON.stringify(extent)));
    // A line that the disk took half is left out when it is read.
    if (writeSync(this.fd, line) < line.length) throw new Error('the disk took half of a line');
  }

  close(): void {
    if (this.fd !== undefined) closeQuietly(this.fd);
    this.fd = undefined;
  }
}
