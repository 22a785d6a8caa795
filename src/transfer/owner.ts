/** One owner for one destination (rule 6), and proof that it is still the same place (rule 7). */
import { randomUUID } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { cutText } from '../model/caps.js';
import { WaybillError } from '../model/errors.js';
import { toDestinationError } from './destination-error.js';
import { fsyncDir, isDamage, readJson, removeDurably, writeFileDurably } from './durable-file.js';
import { RECORD_NAMES } from './layout.js';
import { isMountPoint } from './mount-point.js';

const ownerSchema = z.strictObject({
  v: z.literal(1),
  /** Which Temporal runs the pull; another one cannot be asked about it. */
  engineId: z.string(),
  pullId: z.string(),
  runId: z.string(),
  /** Rises with every claim; a step that sees another one has lost the destination. */
  epoch: z.number().int().positive(),
});

/** Rises by one with each claim: none has come so far. */
const LOST_EPOCH = 1_000_000_000;

/** Who owns a destination. */
export type Owner = z.infer<typeof ownerSchema>;

const destinationSchema = z.strictObject({ v: z.literal(1), id: z.string().min(1) });

/** Whether a pull is running, as far as this engine can tell. */
export type AskOwner = (owner: Owner) => Promise<'open' | 'closed' | 'unknown'>;

/** Who owns the place of a record folder; undefined where nobody does. */
export const readOwner = (recordDir: string): Promise<Owner | undefined> =>
  readJson(join(recordDir, RECORD_NAMES.owner), ownerSchema);

function ownedError(owner: Owner, folder: string, hint: string): WaybillError {
  return new WaybillError(
    'WB_DESTINATION_OWNED',
    `${folder} belongs to the pull ${owner.pullId}: ${hint}`,
    { operation: 'claim' },
  );
}

/** Creates a file that must not exist yet, whole or not at all. Answers whether it was created. */
async function createExclusively(path: string, content: string): Promise<boolean> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(temporary, content, { flag: 'wx', flush: true, mode: 0o644 });
    await link(temporary, path);
    await fsyncDir(dirname(path));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw toDestinationError(error, 'write', path);
  } finally {
    await rm(temporary, { force: true }).catch(() => undefined);
  }
}

/** What a claim needs to know. */
export interface ClaimInput {
  readonly recordDir: string;
  readonly engineId: string;
  readonly pullId: string;
  readonly runId: string;
  readonly takeOver: boolean;
  readonly ask: AskOwner;
}

/**
 * Becomes the owner and answers the epoch. The same run gets its own epoch again. Throws WB_DESTINATION_OWNED where
 * another pull lives, or may live.
 */
export async function claimOwner(input: ClaimInput): Promise<number> {
  const path = join(input.recordDir, RECORD_NAMES.owner);
  const mine = (epoch: number): Owner => ({
    v: 1,
    engineId: input.engineId,
    pullId: input.pullId,
    runId: input.runId,
    epoch,
  });
  const text = (owner: Owner): string => `${JSON.stringify(owner)}\n`;
  for (let round = 0; round < 3; round += 1) {
    const owner = await readOwner(input.recordDir).catch((error: unknown) => {
      if (!isDamage(error)) throw error;
      return unreadable(input, error);
    });
    if (owner === undefined) {
      if (await createExclusively(path, text(mine(1)))) return 1;
      continue;
    }
    if (owner.engineId === input.engineId && owner.pullId === input.pullId) {
      if (owner.runId === input.runId) return owner.epoch;
    } else await refuseLiving(owner, input);
    await writeFileDurably(path, text(mine(owner.epoch + 1)));
    return owner.epoch + 1;
  }
  throw new WaybillError('WB_DESTINATION_OWNED', `another pull is claiming ${input.recordDir}`, {
    operation: 'claim',
    retryable: true,
  });
}

/** An owner that cannot be read is one that cannot be asked. Its epoch is not known: one that none can have reached stands for it. */
function unreadable({ recordDir, takeOver }: ClaimInput, error: WaybillError): Owner {
  if (takeOver) return { v: 1, engineId: '', pullId: '', runId: '', epoch: LOST_EPOCH };
  throw new WaybillError(
    'WB_DESTINATION_OWNED',
    `${recordDir} may belong to a pull, which cannot be told (${error.message}); if none is under way there, pull with --take-over`,
    { operation: 'claim', cause: error },
  );
}

/** Throws WB_DESTINATION_OWNED unless the owner has ended, or may be taken over. */
export async function refuseLiving(owner: Owner, input: ClaimInput): Promise<void> {
  const state = owner.engineId === input.engineId ? await input.ask(owner) : 'unknown';
  if (state === 'closed') return;
  if (state === 'open') {
    throw ownedError(owner, input.recordDir, 'wait for it, or cancel it with `waybill cancel`');
  }
  if (input.takeOver) return;
  const which = cutText(owner.engineId, 200);
  const hint = `its Temporal (${which}) cannot be asked from here; if it is surely gone, pull with --take-over`;
  throw ownedError(owner, input.recordDir, hint);
}

const destinationText = (id: string): string => `${JSON.stringify({ v: 1, id })}\n`;

/** The random id of this place; made on the first claim, and anew where it cannot be read. */
export async function destinationIdOf(recordDir: string): Promise<string> {
  const path = join(recordDir, RECORD_NAMES.destination);
  const id = randomUUID();
  try {
    const found = await destinationAt(recordDir);
    if (found !== undefined) return found;
  } catch (error) {
    if (!isDamage(error)) throw error;
    // Nobody can hold what cannot be read: an attempt that does finds another place, and ends.
    await writeFileDurably(path, destinationText(id));
    return id;
  }
  if (await createExclusively(path, destinationText(id))) return id;
  return (await destinationAt(recordDir)) ?? id;
}

/** The random id of the place that is there now; undefined where none was claimed. */
export async function destinationAt(recordDir: string): Promise<string | undefined> {
  return (await readJson(join(recordDir, RECORD_NAMES.destination), destinationSchema))?.id;
}

/** What an activity carries to prove that it may write. */
export interface OwnershipProof {
  readonly recordDir: string;
  readonly destinationId: string;
  readonly epoch: number;
  /** Where the file system of the destination was mounted when it was claimed; absent: it is the root's own. */
  readonly mount?: string;
}

/**
 * Checks that this is the claimed place (rule 7). Throws WB_DESTINATION_NOT_HERE where another folder is there, or none: of
 * a pull that runs this can be mended, by mounting the share again. Creates nothing.
 */
export async function checkPlace({
  recordDir,
  destinationId,
  mount,
}: OwnershipProof): Promise<void> {
  if ((await destinationAt(recordDir)) === destinationId) return;
  const isUnmounted = mount !== undefined && !(await isMountPoint(mount));
  throw new WaybillError(
    'WB_DESTINATION_NOT_HERE',
    isUnmounted
      ? `the share under ${mount} is not mounted`
      : `${dirname(recordDir)} is not the folder that this pull claimed: is it mounted?`,
    { operation: 'check the owner', retryable: true },
  );
}

/**
 * Checks that this is the claimed place and that the claim still holds. Throws WB_DESTINATION_NOT_HERE (another
 * folder, an unmounted share) or WB_DESTINATION_OWNED (somebody claimed it since). Creates nothing.
 */
export async function checkOwnership(proof: OwnershipProof): Promise<void> {
  await checkPlace(proof);
  const owner = await readOwner(proof.recordDir);
  if (owner?.epoch !== proof.epoch) {
    const message = `${dirname(proof.recordDir)} was claimed by another pull in the meantime; the same command looks again`;
    throw new WaybillError('WB_DESTINATION_OWNED', message, { operation: 'check the owner' });
  }
}

/** Whether the claim still holds. */
export async function holdsOwner(proof: OwnershipProof): Promise<boolean> {
  return (await readOwner(proof.recordDir))?.epoch === proof.epoch;
}

/** Gives the destination up, if the claim still holds. */
export async function releaseOwner(proof: OwnershipProof): Promise<void> {
  if (await holdsOwner(proof)) await removeDurably(join(proof.recordDir, RECORD_NAMES.owner));
}
