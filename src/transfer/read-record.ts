/** The record of a finished pull or of a seal, found, read and checked against itself. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { RECORD_FOLDER } from '../model/object-path.js';
import {
  RECORD_FILES,
  decodeManifest,
  decodeReceipt,
  decodeSeal,
  parseSums,
  recordFolderBeside,
} from '../manifest/index.js';
import type { ManifestEntry, Receipt, Seal, SumsEntry } from '../manifest/index.js';
import { errnoOf, toDestinationError } from './destination-error.js';
import { readTextIfThere } from './durable-file.js';

/** Where a destination's record lies. */
export interface RecordPlace {
  /** Absolute path of the folder or the file that the record is about. */
  readonly destination: string;
  readonly recordDir: string;
  /** The folder that the manifest's paths are relative to. */
  readonly filesRoot: string;
  readonly kind: 'tree' | 'file';
}

/** A record that was found. `complete`: receipt.json. `partial`: some files failed. `sealed`: by `waybill seal`. */
export type FoundRecord =
  | { readonly state: 'complete' | 'partial'; readonly receipt: Receipt; readonly seal?: undefined }
  | { readonly state: 'sealed'; readonly seal: Seal; readonly receipt?: undefined };

/**
 * The place of the record of a folder, of a single file (also one that is gone), or of a record folder itself.
 * Throws WB_NOT_FOUND if there is neither.
 */
export async function findRecord(path: string): Promise<RecordPlace> {
  const destination = resolve(path);
  const name = basename(destination);
  if (name === RECORD_FOLDER) return treePlace(dirname(destination));
  const kind = await kindOf(destination);
  if (kind === 'folder') return treePlace(destination);
  const filesRoot = dirname(destination);
  const recordDir = join(filesRoot, recordFolderBeside(name));
  if (kind === 'none' && (await kindOf(recordDir)) !== 'folder') {
    throw new WaybillError('WB_NOT_FOUND', `${destination} does not exist`, {
      operation: 'verify',
      advice: 'Name the destination of a pull: waybill verify DEST',
    });
  }
  return { destination, recordDir, filesRoot, kind: 'file' };
}

function treePlace(destination: string): RecordPlace {
  const recordDir = join(destination, RECORD_FOLDER);
  return { destination, recordDir, filesRoot: destination, kind: 'tree' };
}

async function kindOf(path: string): Promise<'folder' | 'other' | 'none'> {
  try {
    return (await lstat(path)).isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return 'none';
    throw toDestinationError(error, 'look at', path);
  }
}

/**
 * Reads the receipt, else the partial receipt, else the seal. Throws WB_NOT_FOUND when there is none, saying what
 * there is instead, WB_LOCAL_DAMAGE and WB_VERSION_SKEW.
 */
export async function readRecord(place: RecordPlace): Promise<FoundRecord> {
  const read = (name: string): Promise<string | undefined> =>
    readTextIfThere(join(place.recordDir, name));
  const receipt = await read(RECORD_FILES.receipt);
  if (receipt !== undefined) {
    return { state: 'complete', receipt: decodeReceipt(receipt, RECORD_FILES.receipt) };
  }
  const partial = await read(RECORD_FILES.partialReceipt);
  if (partial !== undefined) {
    return { state: 'partial', receipt: decodeReceipt(partial, RECORD_FILES.partialReceipt) };
  }
  const seal = await read(RECORD_FILES.seal);
  if (seal !== undefined) return { state: 'sealed', seal: decodeSeal(seal, RECORD_FILES.seal) };
  const isBegun = (await read('pull.json')) !== undefined;
  const message = isBegun
    ? `a pull into ${place.destination} has not finished: there is no receipt yet (waybill status ${place.destination})`
    : `${place.destination} was not pulled by Waybill and not sealed: ${place.recordDir} has no receipt`;
  const advice = isBegun
    ? 'Wait for it, or go on with it: the same waybill pull command.'
    : 'Name the destination of a pull, or write the manifest of this tree first: waybill seal DIRECTORY';
  throw new WaybillError('WB_NOT_FOUND', message, { operation: 'verify', advice });
}

/** What is wrong with the record itself, and what can still be relied on. */
export interface RecordCheck {
  /** Sentences; empty when the record fits together. */
  readonly problems: readonly string[];
  /** Which of the two lists has the digest that the receipt says; undefined if neither has. */
  readonly trusted: 'manifest' | 'sums' | undefined;
}

/** Holds SHA256SUMS and the manifest against the digests in the receipt or the seal: an edit to either shows. */
export async function checkRecord(place: RecordPlace, record: FoundRecord): Promise<RecordCheck> {
  const said = record.receipt ?? record.seal;
  const holder = record.receipt ? 'the receipt' : 'the seal';
  const problems: string[] = [];
  const check = async (name: string, expected: string): Promise<boolean> => {
    const actual = await digestOf(join(place.recordDir, name));
    if (actual === expected) return true;
    problems.push(
      actual === undefined
        ? `${name} is missing from ${place.recordDir}`
        : `${name} was changed: its SHA-256 is ${actual}, ${holder} says ${expected}`,
    );
    return false;
  };
  const sums = await check(RECORD_FILES.sums, said.treeDigest);
  const manifest = await check(RECORD_FILES.manifest, said.manifestDigest);
  return { problems, trusted: manifest ? 'manifest' : sums ? 'sums' : undefined };
}

/** SHA-256 of a small file's bytes; undefined if there is none. */
export async function digestOf(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw toDestinationError(error, 'read', path);
  }
  return hash.digest('hex');
}

/** The manifest's lines. */
export async function* readManifest(place: RecordPlace): AsyncGenerator<ManifestEntry> {
  yield* decodeManifest(createReadStream(join(place.recordDir, RECORD_FILES.manifest)));
}

/** The lines of SHA256SUMS. */
export async function* readSums(place: RecordPlace): AsyncGenerator<SumsEntry> {
  const stream = createReadStream(join(place.recordDir, RECORD_FILES.sums));
  yield* parseSums(stream, { isStrict: true, code: 'WB_LOCAL_DAMAGE' });
}
