/** Whether a line of a journal speaks of what was planned, and of what lies there. */
import type { LocalStamp, ManifestEntry } from '../manifest/manifest.js';
import { samePin, type Pin } from '../model/object-entry.js';
import type { Replaceable } from './take-name.js';

/** What a plan expects of a journal line before it counts (rule 15). */
export interface PlannedVersion {
  readonly planId: string;
  readonly pin?: Pin;
  readonly sizeBytes?: number;
}

/**
 * Whether a line is of the planned version: path, pin and size equal. A file without a pin counts only within the
 * plan that fetched it: nothing tells whether the source changed since.
 */
export function isOfPlan(
  line: { readonly planId: string; readonly entry: Pick<ManifestEntry, 'sizeBytes' | 'pin'> },
  planned: PlannedVersion,
): boolean {
  if (planned.sizeBytes !== undefined && planned.sizeBytes !== line.entry.sizeBytes) return false;
  if (line.planId === planned.planId) {
    return planned.pin === undefined || samePin(planned.pin, line.entry.pin);
  }
  return samePin(planned.pin, line.entry.pin);
}

/** What tells a published file from any other under its name. */
export type PublishedFile = Pick<ManifestEntry, 'path' | 'sizeBytes'> & {
  readonly local?: Pick<LocalStamp, 'mtimeNs' | 'inode'>;
};

/**
 * Whether a file is the one that a line speaks of, by inode, mtime and size. The ctime is left out: a rename changes it, and
 * the line is written before.
 */
export function isPublishedFile(entry: PublishedFile, found: Replaceable): boolean {
  return (
    entry.sizeBytes === found.sizeBytes &&
    entry.local?.inode === found.stamp.inode &&
    entry.local.mtimeNs === found.stamp.mtimeNs
  );
}
