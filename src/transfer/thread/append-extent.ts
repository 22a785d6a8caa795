/**
 * The sidecar of a partial: one line for each part that was written, with its digest. The threads append in single
 * writes; what is written here is a claim, not a proof (rule 16). Read by `../sidecar.ts`.
 */
import { appendFileSync } from 'node:fs';
import { checkedLine } from './checked-lines.js';
import type { Extent } from './tasks.js';

/** Records a part. */
export function appendExtent(sidecarPath: string, extent: Extent): void {
  appendFileSync(sidecarPath, checkedLine(JSON.stringify(extent)), { mode: 0o600 });
}
