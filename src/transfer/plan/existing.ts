/** What is already at the destination, compared with what the source has (design 2, `--if-exists`). */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { localStampOf, sameLocalStamp, type ManifestEntry } from '../../manifest/index.js';
import { reaches } from '../../model/level.js';
import { samePin, type ObjectEntry } from '../../model/object-entry.js';
import type { PullRequest } from '../../model/pull.js';
import { toDestinationError } from '../destination-error.js';
import { isOfPlan, type Journal } from '../journal.js';
import type { Expected } from './expectations.js';
import type { PlanEntry } from './page.js';

/** What is to be done with one file, and why. */
export type Decision = Pick<PlanEntry, 'action' | 'reason'> & { readonly kept?: ManifestEntry };

/** What decisions are made from. */
export interface ExistingContext {
  readonly request: PullRequest;
  readonly filesRoot: string;
  readonly planId: string;
  readonly journal: Pick<Journal, 'fetched' | 'publishing'>;
  /** The last manifest of this destination, by path. */
  readonly last: ReadonlyMap<string, ManifestEntry>;
  /** SHA-256 of a whole local file. */
  readonly hashFile: (path: string, sizeBytes: number) => Promise<string | undefined>;
}

interface Found {
  readonly sizeBytes: number;
  readonly stamp: ReturnType<typeof localStampOf>;
}

const fetchBecause = (reason: string): Decision => ({ action: 'fetch', reason });

/** Decides about one file. Never changes anything. Throws WB_DESTINATION_FAILED and its kin. */
export async function decide(
  context: ExistingContext,
  path: string,
  entry: ObjectEntry,
  expected: Expected | undefined,
): Promise<Decision> {
  const absolute = join(context.filesRoot, path);
  const found = await look(absolute);
  if (found === undefined) return fetchBecause('not there yet');
  if (found === 'other')
    return { action: 'conflict', reason: 'a folder or a link is in its place' };
  const { ifExists, checksum } = context.request;
  // With --checksum it repairs: what still has the right bytes need not come again.
  if (ifExists === 'overwrite' && !checksum) return fetchBecause('--if-exists overwrite');

  const known = await knownOf(context, path, found, absolute);
  const kept = await keepable(context, path, entry, expected, found, known, absolute);
  if (kept !== undefined && reaches(kept.level, context.request.requireLevel)) {
    return { action: 'keep', reason: 'in place already', kept };
  }
  if (ifExists === 'overwrite') return fetchBecause('its bytes are not the wanted ones');
  if (ifExists === 'skip') return { action: 'skip', reason: '--if-exists skip' };
  if (known !== undefined)
    return fetchBecause('the source has another version, or none that can be told');
  if (ifExists === 'fail')
    return { action: 'conflict', reason: 'it is there, and --if-exists fail was given' };
  const earlier = context.last.get(path) ?? context.journal.fetched(path)?.entry;
  return {
    action: 'conflict',
    reason:
      earlier === undefined ? 'Waybill did not write it' : 'it was changed since Waybill wrote it',
  };
}

async function look(absolute: string): Promise<Found | 'other' | undefined> {
  try {
    const stats = await lstat(absolute, { bigint: true });
    if (!stats.isFile()) return 'other';
    return { sizeBytes: Number(stats.size), stamp: localStampOf(stats) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw toDestinationError(error, 'look at', absolute);
  }
}

/** What Waybill knows about the file that is there, if it wrote it and nobody touched it since. */
async function knownOf(
  context: ExistingContext,
  path: string,
  found: Found,
  absolute: string,
): Promise<ManifestEntry | undefined> {
  const line = context.journal.fetched(path);
  const candidates = [line?.entry, context.last.get(path)];
  for (const candidate of candidates) {
    if (candidate?.sizeBytes !== found.sizeBytes) continue;
    const mustHash = context.request.checksum || (candidate === line?.entry && !line.isTrusted);
    if (mustHash) {
      if ((await context.hashFile(absolute, found.sizeBytes)) === candidate.sha256)
        return candidate;
    } else if (sameLocalStamp(candidate.local, found.stamp)) return candidate;
  }
  const publishing = context.journal.publishing(path)?.entry;
  return isThePublished(publishing, found) ? { ...publishing, local: found.stamp } : undefined;
}

/** A rename changes the ctime: between announcement and journal line, inode, mtime and size tell. */
function isThePublished(entry: ManifestEntry | undefined, found: Found): entry is ManifestEntry {
  return (
    entry?.sizeBytes === found.sizeBytes &&
    entry.local?.inode === found.stamp.inode &&
    entry.local.mtimeNs === found.stamp.mtimeNs
  );
}

/** The manifest entry under which the file can stay; undefined if nothing proves that it is the wanted version. */
async function keepable(
  context: ExistingContext,
  path: string,
  entry: ObjectEntry,
  expected: Expected | undefined,
  found: Found,
  known: ManifestEntry | undefined,
  absolute: string,
): Promise<ManifestEntry | undefined> {
  if (entry.sizeBytes !== undefined && entry.sizeBytes !== found.sizeBytes) return undefined;
  const wanted = expected?.sha256 ?? entry.digests?.sha256;
  if (wanted !== undefined) {
    const actual = known?.sha256 ?? (await context.hashFile(absolute, found.sizeBytes));
    if (actual !== wanted) return undefined;
    return {
      ...(known ?? { path, sizeBytes: found.sizeBytes, sha256: wanted, attempts: 0 }),
      level: expected?.from === 'caller' ? 'digest' : 'published',
      expectedFrom: expected?.from ?? 'sha256 of the store',
      comparedDigests: ['sha256'],
      ...(entry.pin === undefined ? {} : { pin: entry.pin }),
      local: found.stamp,
    };
  }
  if (known === undefined) return undefined;
  const line = context.journal.fetched(path) ?? context.journal.publishing(path);
  const planned = {
    planId: context.planId,
    ...(entry.pin === undefined ? {} : { pin: entry.pin }),
    ...(entry.sizeBytes === undefined ? {} : { sizeBytes: entry.sizeBytes }),
  };
  if (line?.entry.sha256 === known.sha256 && isOfPlan(line, planned)) return known;
  const isSameVersion = entry.pin?.strength === 'strong' && samePin(entry.pin, known.pin);
  return isSameVersion ? { ...known, local: found.stamp } : undefined;
}
