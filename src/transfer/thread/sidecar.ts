/**
 * The sidecar of a partial: one line for each part that was written, with its digest. Lines are appended by the
 * threads in single writes and checked by a CRC, so that a torn tail is dropped. A line is a claim, not a proof: a
 * resumed file hashes its recorded parts again (rule 16).
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import type { Extent } from './tasks.js';

const extentSchema = z.strictObject({
  offsetBytes: z.number().int().nonnegative(),
  lengthBytes: z.number().int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** A line with the CRC-32 of its text in front. */
export function checkedLine(text: string): string {
  return `${crc32(text).toString(16).padStart(8, '0')} ${text}\n`;
}

/** The texts of the whole lines in a checked file; damaged ones and a torn tail are left out. */
export function* readCheckedLines(content: string): Generator<string> {
  for (const line of content.split('\n')) {
    if (line.length < 10 || line[8] !== ' ') continue;
    const text = line.slice(9);
    if (crc32(text).toString(16).padStart(8, '0') === line.slice(0, 8)) yield text;
  }
}

/** Records a part. */
export function appendExtent(sidecarPath: string, extent: Extent): void {
  appendFileSync(sidecarPath, checkedLine(JSON.stringify(extent)), { mode: 0o600 });
}

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
