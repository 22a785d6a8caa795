/**
 * Reading the sidecar of a partial. Its lines are claims, not proofs: a resumed file hashes its recorded parts again
 * (rule 16).
 */
import { appendFileSync, readFileSync } from 'node:fs';
import * as z from 'zod';
import type { WriterIdentity } from './journal.js';
import { checkedLine, readCheckedLines } from './thread/checked-lines.js';
import type { Extent } from './thread/tasks.js';

const writerSchema = z.strictObject({
  host: z.string(),
  bootId: z.string(),
  pid: z.number(),
  startTicks: z.string(),
});

const placeSchema = z.strictObject({
  offsetBytes: z.number().int().nonnegative(),
  lengthBytes: z.number().int().positive(),
});
const digestSchema = z.string().regex(/^[0-9a-f]{64}$/);

/** Releases up to 0.1 recorded SHA-256. */
const extentSchema = z.union([
  placeSchema.extend({ mac: digestSchema }),
  placeSchema.extend({ sha256: digestSchema }),
]);

/** What a sidecar says. */
export interface Sidecar {
  /** Recorded parts in the order of their offsets, overlapping ones left out; none if there is no sidecar. */
  readonly extents: Extent[];
  /** Who opened the partial last. */
  readonly writer?: WriterIdentity;
}

/** Records who writes from now on (rule 13). */
export function appendWriter(sidecarPath: string, writer: WriterIdentity): void {
  appendFileSync(sidecarPath, checkedLine(JSON.stringify(writer)), { mode: 0o600 });
}

/** Reads a sidecar; torn and damaged lines are left out. */
export function readSidecar(sidecarPath: string): Sidecar {
  const found: Extent[] = [];
  let writer: WriterIdentity | undefined;
  for (const text of readCheckedLines(textOf(sidecarPath))) {
    const value: unknown = JSON.parse(text);
    const extent = extentSchema.safeParse(value);
    if (extent.success) found.push(extent.data);
    else writer = writerSchema.safeParse(value).data ?? writer;
  }
  const extents = apart(found);
  return writer === undefined ? { extents } : { extents, writer };
}

function textOf(sidecarPath: string): string {
  try {
    return readFileSync(sidecarPath, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function apart(found: Extent[]): Extent[] {
  // A part that was fetched again has two lines: the later one is the truth.
  const sorted = found
    .reverse()
    .sort((a, b) => a.offsetBytes - b.offsetBytes || b.lengthBytes - a.lengthBytes);
  const kept: Extent[] = [];
  let end = 0;
  for (const extent of sorted) {
    if (extent.offsetBytes < end) continue;
    kept.push(extent);
    end = extent.offsetBytes + extent.lengthBytes;
  }
  return kept;
}
