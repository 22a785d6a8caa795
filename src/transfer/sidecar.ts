/**
 * Reading the sidecar of a partial. Its lines are claims, not proofs: a resumed file hashes its recorded parts again
 * (rule 16).
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { readCheckedLines } from './thread/checked-lines.js';
import type { Extent } from './thread/tasks.js';

const extentSchema = z.strictObject({
  offsetBytes: z.number().int().nonnegative(),
  lengthBytes: z.number().int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** All recorded parts in the order of their offsets, overlapping ones left out; none if there is no sidecar. */
export function readExtents(sidecarPath: string): Extent[] {
  let content: string;
  try {
    content = readFileSync(sidecarPath, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const found: Extent[] = [];
  for (const text of readCheckedLines(content)) {
    const parsed = extentSchema.safeParse(JSON.parse(text));
    if (parsed.success) found.push(parsed.data);
  }
  // A part that was fetched again has two lines: the later one is the truth.
  found.reverse();
  found.sort((a, b) => a.offsetBytes - b.offsetBytes || b.lengthBytes - a.lengthBytes);
  const apart: Extent[] = [];
  let end = 0;
  for (const extent of found) {
    if (extent.offsetBytes < end) continue;
    apart.push(extent);
    end = extent.offsetBytes + extent.lengthBytes;
  }
  return apart;
}
