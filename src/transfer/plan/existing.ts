/** What is already at the destination, compared with what the source has (design 2, `--if-exists`). */
import { join } from 'node:path';
import { sameLocalStamp, type ManifestEntry } from '../../manifest/index.js';
import { reaches } from '../../model/level.js';
import {
  sameStrongPin,
  type DigestName,
  type Digests,
  type ObjectEntry,
  type Pin,
} from '../../model/object-entry.js';
import type { PullRequest } from '../../model/pull.js';
import { recordError } from '../held-folder.js';
import type { Journal, JournalEntry, PublishingLine } from '../journal.js';
import { isOfPlan, isPublishedFile } from '../line-fits.js';
import type { Look } from '../looker.js';
import type { Replaceable } from '../take-name.js';
import type { LastManifest } from '../last-manifest.js';
import type { Expected } from './expectations.js';
import type { PlanEntry } from './page.js';
import { folderOf, outsideError, type Parents } from './parents.js';

/** What is to be done with one file, and why. */
export type Decision = Pick<PlanEntry, 'action' | 'reason'> & {
  readonly kept?: ManifestEntry;
  readonly replaces?: Replaceable;
  /** `kept` is the line of the last manifest as it is. */
  readonly isAsRecorded?: true;
};

/** What decisions are made from. */
export interface ExistingContext {
  readonly request: PullRequest;
  readonly filesRoot: string;
  readonly planId: string;
  readonly parents: Parents;
  readonly journal: Pick<Journal, 'fetched' | 'publishing'>;
  /** The last manifest of this destination. */
  readonly last: Pick<LastManifest, 'get'>;
  /** Looks at a name of the destination. */
  readonly look: Look;
  /** SHA-256 of a whole local file. */
  readonly hashFile: (path: string, sizeBytes: number) => Promise<string | undefined>;
  /** `--reread`: the entry with what the disk itself says of the file in it; undefined: the disk has other bytes. */
  readonly readBack?: (absolute: string, kept: ManifestEntry) => Promise<ManifestEntry | undefined>;
  /** Asks the source for the pin of one file, where that moves none of its bytes. */
  readonly askPin?: (path: string) => Promise<Pin | undefined>;
}

/** A file that is there. */
type Found = Replaceable;

/** Why a file is a conflict that Waybill wrote once. */
export const TOUCHED = 'it was changed since Waybill wrote it';

const conflict = (reason: string): Decision => ({ action: 'conflict', reason });

/**
 * Decides about one file. Never changes anything. Throws WB_UNSAFE_PATH where its folder is a link that leads out, and
 * WB_DESTINATION_FAILED and its kin.
 */
export async function decide(
  context: ExistingContext,
  path: string,
  entry: ObjectEntry,
  expected: Expected | undefined,
): Promise<Decision> {
  const parent = await context.parents.kindOf(folderOf(path));
  if (parent === 'outside') throw outsideError(path);
  if (parent === 'record') throw recordError(path);
  if (parent === 'not a folder') return conflict('a file is in the place of its folder');
  const absolute = join(context.filesRoot, path);
  const found = parent === 'missing' ? undefined : await context.look(absolute);
  if (found === undefined) return { action: 'fetch', reason: 'not there yet' };
  if (found === 'other') return conflict('a folder or a link is in its place');
  const { ifExists, checksum } = context.request;
  // With --checksum it repairs: what still has the right bytes need not come again.
  if (ifExists === 'overwrite' && !checksum) {
    return { action: 'fetch', reason: '--if-exists overwrite' };
  }
  const past = await pastOf(context, path);
  const known = await knownOf(context, found, past, absolute);
  const kept = await keepable(context, entry, expected, found, known, past, absolute);
  if (kept !== undefined && reaches(kept.level, context.request.requireLevel)) {
    const proven = context.readBack === undefined ? kept : await context.readBack(absolute, kept);
    const isAsRecorded = proven === past.recorded ? { isAsRecorded: true as const } : {};
    if (proven !== undefined) {
      return { action: 'keep', reason: 'in place already', kept: proven, ...isAsRecorded };
    }
  }
  if (ifExists === 'overwrite') {
    return { action: 'fetch', reason: 'its bytes are not the wanted ones' };
  }
  if (ifExists === 'skip') return { action: 'skip', reason: '--if-exists skip' };
  if (known !== undefined && isWritten(known)) {
    const reason = 'the source has another version, or none that can be told';
    return { action: 'fetch', reason, replaces: found };
  }
  if (ifExists === 'fail') return conflict('it is there, and --if-exists fail was given');
  return conflict(whyNotOurs(past));
}

/** Waybill brought it; a file that was there already, with the right bytes, is known too but is somebody else's. */
function isWritten(entry: ManifestEntry): boolean {
  return entry.attempts > 0;
}

/** What Waybill has written down of a path, whatever lies there now. */
interface Past {
  readonly path: string;
  readonly line: JournalEntry | undefined;
  readonly publishing: PublishingLine | undefined;
  /** The line of the last manifest. */
  readonly recorded: ManifestEntry | undefined;
}

async function pastOf({ journal, last }: ExistingContext, path: string): Promise<Past> {
  const publishing = journal.publishing(path);
  return { path, publishing, line: await journal.fetched(path), recorded: await last.get(path) };
}

function whyNotOurs({ line, recorded }: Past): string {
  const earlier = recorded ?? line?.entry;
  return earlier !== undefined && isWritten(earlier) ? TOUCHED : 'Waybill did not write it';
}

/** What Waybill knows about the file that is there, if nobody touched it since. */
async function knownOf(
  context: ExistingContext,
  found: Found,
  { line, recorded, publishing: announced }: Past,
  absolute: string,
): Promise<ManifestEntry | undefined> {
  const candidates = [line?.entry, recorded];
  for (const candidate of candidates) {
    if (candidate?.sizeBytes !== found.sizeBytes) continue;
    const mustHash = context.request.checksum || (candidate === line?.entry && !line.isTrusted);
    if (mustHash) {
      if ((await context.hashFile(absolute, found.sizeBytes)) === candidate.sha256) {
        return asFound(candidate, found);
      }
    } else if (sameLocalStamp(candidate.local, found.stamp)) return asFound(candidate, found);
  }
  const publishing = announced?.entry;
  if (publishing === undefined || !isPublishedFile(publishing, found)) return undefined;
  return asFound(publishing, found);
}

/**
 * An entry of an earlier pull for the file as it lies here now; it is for this pull to say whether it is stale. Where
 * nothing is different it is that very entry.
 */
function asFound(entry: ManifestEntry, found: Found): ManifestEntry {
  if (entry.isStale === undefined && sameLocalStamp(entry.local, found.stamp)) return entry;
  const { isStale: _, isLeft: __, ...rest } = entry;
  return { ...rest, local: found.stamp };
}

/** The manifest entry under which the file can stay; undefined if nothing proves that it is the wanted version. */
async function keepable(
  context: ExistingContext,
  entry: ObjectEntry,
  expected: Expected | undefined,
  found: Found,
  known: ManifestEntry | undefined,
  past: Past,
  absolute: string,
): Promise<ManifestEntry | undefined> {
  if (entry.sizeBytes !== undefined && entry.sizeBytes !== found.sizeBytes) return undefined;
  const wanted = expected?.sha256 ?? entry.digests?.sha256;
  if (wanted !== undefined) {
    const actual = known?.sha256 ?? (await context.hashFile(absolute, found.sizeBytes));
    if (actual !== wanted) return undefined;
    const entryNow: ManifestEntry = {
      ...(known ?? { path: past.path, sizeBytes: found.sizeBytes, sha256: wanted, attempts: 0 }),
      level: expected?.from === 'caller' ? 'digest' : 'published',
      expectedFrom: expected?.from ?? 'sha256 of the store',
      comparedDigests: ['sha256'],
      ...(entry.pin === undefined ? {} : { pin: entry.pin }),
      local: found.stamp,
    };
    return known !== undefined && isProvenAlike(known, entryNow) ? known : entryNow;
  }
  if (known === undefined || differs(entry.digests, known.providerDigests)) return undefined;
  const line = past.line ?? past.publishing;
  const planned = {
    planId: context.planId,
    ...(entry.pin === undefined ? {} : { pin: entry.pin }),
    ...(entry.sizeBytes === undefined ? {} : { sizeBytes: entry.sizeBytes }),
  };
  if (line?.entry.sha256 === known.sha256 && isOfPlan(line, planned)) return known;
  // Asked only where the answer can tell something.
  const isAsked = entry.pin === undefined && known.pin?.strength === 'strong';
  const pin = isAsked ? await context.askPin?.(entry.path) : entry.pin;
  return sameStrongPin(pin, known.pin) ? known : undefined;
}

/** Whether the source says another digest now than it said of the file that is here: whatever its pin, it is not the wanted one. */
function differs(now: Digests = {}, then: Digests = {}): boolean {
  return Object.entries(now).some(([name, value]) => {
    const before = then[name as DigestName];
    return before !== undefined && before !== value;
  });
}

/** Whether two entries of the same file, as it lies here, say the same of how it was proven. */
function isProvenAlike(a: ManifestEntry, b: ManifestEntry): boolean {
  return (
    a.level === b.level &&
    a.expectedFrom === b.expectedFrom &&
    a.comparedDigests.join() === b.comparedDigests.join() &&
    a.pin?.value === b.pin?.value &&
    a.pin?.strength === b.pin?.strength
  );
}
