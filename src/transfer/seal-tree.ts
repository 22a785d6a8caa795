/** `waybill seal`: the manifest of a tree, written before it is published, so that a later pull can prove it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, rename, rm, rmdir, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { RECORD_FOLDER, guardPath } from '../model/object-path.js';
import {
  RECORD_FILES,
  RecordWriter,
  decodeManifest,
  decodeReceipt,
  decodeSeal,
  encodeSeal,
  formatSumsLine,
  howToCheck,
} from '../manifest/index.js';
import type { ManifestEntry, RecordTotals } from '../manifest/index.js';
import type { UnitProgress } from './api.js';
import { errnoOf, toDestinationError } from './destination-error.js';
import {
  fsyncDir,
  isDamage,
  makeFolderDurably,
  readTextIfThere,
  removeDurably,
  writeFileDurably,
} from './durable-file.js';
import { hashFiles } from './hash-files.js';
import type { Hashed } from './hash-files.js';
import { RECORD_NAMES } from './layout.js';
import { moveAside } from './old-truth.js';
import { digestOf } from './read-record.js';
import { walkTree } from './walk-tree.js';
import type { FoundFile } from './walk-tree.js';

/** How to seal. When the signal aborts before the first write, the call rejects with the signal's reason. */
export interface SealOptions {
  /** The version of this Waybill, for the record. */
  readonly waybill: string;
  readonly signal?: AbortSignal;
  readonly progress?: UnitProgress;
}

/** What was sealed. */
export interface SealReport {
  /** Absolute path. */
  readonly directory: string;
  readonly files: number;
  readonly bytes: number;
  readonly treeDigest: string;
  readonly omsDigest: string | null;
  /** The tree was sealed already, or pulled, and has not changed: nothing was written. */
  readonly wasSealed: boolean;
  /** Folders called `.waybill` below the root, and sockets, FIFOs and devices: a pull does not bring them. */
  readonly skipped: readonly string[];
}

const SPOOL = 'manifest.sealing';

/**
 * Hashes every file below `directory` and writes `.waybill/SHA256SUMS`, `.waybill/manifest.ndjson` and, last,
 * `.waybill/seal.json`. Run twice, it answers the same. Throws WB_USAGE for what is no folder or has no file,
 * WB_UNSAFE_PATH for names that a pull would refuse and for links that lead outside or to a folder,
 * WB_DESTINATION_OWNED while a pull is at work there, WB_SOURCE_CHANGED when a file is written to meanwhile.
 */
export async function sealTree(directory: string, options: SealOptions): Promise<SealReport> {
  const root = await folderAt(directory);
  const recordDir = join(root, RECORD_FOLDER);
  if ((await readTextIfThere(join(recordDir, RECORD_NAMES.owner))) !== undefined) {
    const message = `a pull is at work in ${root}: seal it when the pull has ended`;
    throw new WaybillError('WB_DESTINATION_OWNED', message, { operation: 'seal' });
  }
  await makeFolderDurably(recordDir);
  if (options.progress) options.progress.phase = 'hashing';
  const skipped: string[] = [];
  const writer = new RecordWriter(() => createHash('sha256'));
  const spool = join(recordDir, SPOOL);
  try {
    await writeFileDurably(spool, manifestLines(root, writer, skipped, options));
    const totals = writer.result();
    if (totals.files === 0) {
      throw new WaybillError('WB_USAGE', `${root} has no file to seal`, { operation: 'seal' });
    }
    options.signal?.throwIfAborted();
    const wasSealed = await isSealedAs(recordDir, totals);
    if (!wasSealed) await writeSeal(recordDir, spool, totals, options);
    const { files, bytes, treeDigest, omsDigest } = totals;
    return { directory: root, files, bytes, treeDigest, omsDigest, wasSealed, skipped };
  } finally {
    await rm(spool, { force: true });
    // Where nothing came of it, the folder goes again; with anything in it, it stays.
    await rmdir(recordDir).catch(() => undefined);
  }
}

async function folderAt(directory: string): Promise<string> {
  const path = resolve(directory);
  try {
    if ((await stat(path)).isDirectory()) return await realpath(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') {
      throw new WaybillError('WB_NOT_FOUND', `cannot seal ${path}: it does not exist`, {
        operation: 'seal',
        advice: 'Name the folder that is to be published: waybill seal FOLDER',
      });
    }
    throw toDestinationError(error, 'seal', path);
  }
  throw new WaybillError('WB_USAGE', `${path} is no folder: only folders are sealed`, {
    operation: 'seal',
  });
}

async function* manifestLines(
  root: string,
  writer: RecordWriter,
  skipped: string[],
  options: SealOptions,
): AsyncGenerator<string> {
  const onRecord = (path: string): void => {
    if (path !== RECORD_FOLDER) skipped.push(path);
  };
  const found = guarded(root, skipped, walkTree(root, { ...options, onRecord }));
  const fileOf = (file: FoundFile): { path: string; expectedBytes: number } => ({
    path: join(root, file.path),
    // A stat only to make even batches would cost more than it brings.
    expectedBytes: 1_048_576,
  });
  for await (const { item, hashed } of hashFiles(found, fileOf, {
    ...options,
    followLinks: true,
  })) {
    if (options.progress) options.progress.name = item.path;
    yield writer.add(entryOf(item.path, hashed)).manifest;
  }
}

/** What a pull would bring; throws for what it would refuse. */
async function* guarded(
  root: string,
  skipped: string[],
  found: AsyncIterable<FoundFile>,
): AsyncGenerator<FoundFile> {
  for await (const file of found) {
    if (!file.isNameValid) {
      const message = `the name ${JSON.stringify(file.path)} is refused: on disk it is no UTF-8`;
      throw new WaybillError('WB_UNSAFE_PATH', message, { operation: 'seal', path: file.path });
    }
    guardPath(file.path);
    if (file.kind === 'link') await guardLink(root, file.path);
    if (file.kind === 'special') skipped.push(file.path);
    else yield file;
  }
}

async function guardLink(root: string, path: string): Promise<void> {
  const refuse = (why: string): WaybillError =>
    new WaybillError('WB_UNSAFE_PATH', `the link ${JSON.stringify(path)} is refused: ${why}`, {
      operation: 'seal',
      path,
    });
  const target = await realpath(join(root, path)).catch(() => undefined);
  if (target === undefined) throw refuse('it leads nowhere');
  const inside = relative(root, target);
  if (inside === '..' || inside.startsWith(`..${sep}`)) {
    throw refuse(`it leads outside, to ${target}; put a copy in its place`);
  }
  if ((await stat(target)).isDirectory()) throw refuse('it leads to a folder');
}

function entryOf(path: string, hashed: Hashed | undefined): ManifestEntry {
  if (hashed?.kind === 'failed') throw hashed.error;
  if (hashed?.kind !== 'hashed') {
    const message = `${JSON.stringify(path)} was changed while it was being sealed: seal again when nothing writes to it`;
    throw new WaybillError('WB_SOURCE_CHANGED', message, { operation: 'seal', path });
  }
  return {
    path,
    sizeBytes: hashed.sizeBytes,
    sha256: hashed.sha256,
    level: 'none',
    modifiedAt: new Date(hashed.mtimeMs).toISOString(),
    ...(hashed.isExecutable ? { isExecutable: true } : {}),
    comparedDigests: [],
    attempts: 0,
  };
}

/** Whether the record that is there says the same of the same files. */
async function isSealedAs(recordDir: string, totals: RecordTotals): Promise<boolean> {
  const read = (name: string): Promise<string | undefined> =>
    readTextIfThere(join(recordDir, name));
  const sums = await digestOf(join(recordDir, RECORD_FILES.sums));
  if (sums !== totals.treeDigest) return false;
  try {
    const receipt = await read(RECORD_FILES.receipt);
    if (receipt !== undefined) {
      return decodeReceipt(receipt, RECORD_FILES.receipt).treeDigest === totals.treeDigest;
    }
    const seal = await read(RECORD_FILES.seal);
    if (seal === undefined) return false;
    const { treeDigest, manifestDigest } = decodeSeal(seal, RECORD_FILES.seal);
    const manifest = await digestOf(join(recordDir, RECORD_FILES.manifest));
    return (
      treeDigest === totals.treeDigest &&
      manifestDigest === totals.manifestDigest &&
      manifest === manifestDigest
    );
  } catch (error) {
    // A record that cannot be read is replaced by one that can.
    if (isDamage(error)) return false;
    throw error;
  }
}

/** Old truth goes first (rule 19), the seal comes last (rule 20). */
async function writeSeal(
  recordDir: string,
  spool: string,
  totals: RecordTotals,
  options: SealOptions,
): Promise<void> {
  await setAside(recordDir);
  await rename(spool, join(recordDir, RECORD_FILES.manifest));
  await fsyncDir(recordDir);
  await writeFileDurably(join(recordDir, RECORD_FILES.sums), sumsOf(recordDir));
  const seal = encodeSeal({
    v: 1,
    howToCheck: howToCheck(RECORD_FOLDER),
    waybill: options.waybill,
    kind: 'tree',
    counts: { files: totals.files },
    bytes: totals.bytes,
    treeDigest: totals.treeDigest,
    omsDigest: totals.omsDigest,
    manifestDigest: totals.manifestDigest,
    sealedAt: new Date().toISOString(),
  });
  await writeFileDurably(join(recordDir, RECORD_FILES.seal), seal);
}

/** Moves the record of a pull to `previous/`; an older seal only goes, for this one says more. */
async function setAside(recordDir: string): Promise<void> {
  await removeDurably(join(recordDir, RECORD_FILES.seal));
  const { receipt, partialReceipt, manifest, sums } = RECORD_FILES;
  const isPulled = [receipt, partialReceipt].map((name) => readTextIfThere(join(recordDir, name)));
  if ((await Promise.all(isPulled)).every((text) => text === undefined)) return;
  await moveAside(recordDir, [sums, manifest]);
}

async function* sumsOf(recordDir: string): AsyncGenerator<string> {
  const manifest = createReadStream(join(recordDir, RECORD_FILES.manifest));
  for await (const entry of decodeManifest(manifest)) yield formatSumsLine(entry);
}
