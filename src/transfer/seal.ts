/** Ending a pull: plan and journal become SHA256SUMS, manifest and receipt (rule 20). */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  capNames,
  decodeReceipt,
  encodeReceipt,
  howToCheck,
  RecordWriter,
  recordFolderBeside,
  type ManifestEntry,
  type Receipt,
} from '../manifest/index.js';
import { errorRow, exitCodeOf } from '../model/errors.js';
import { compareByBytes, RECORD_FOLDER } from '../model/object-path.js';
import type { Failure, PullResult } from '../model/pull.js';
import type { CallContext, PullRef } from './api.js';
import { toDestinationError } from './destination-error.js';
import {
  fsyncDir,
  makeFolderDurably,
  readTextIfThere,
  remove,
  writeFileDurably,
} from './durable-file.js';
import { gather, leftoversOf, type Outcome } from './gather.js';
import { HeldFolder } from './held-folder.js';
import { readReceipt } from './last-manifest.js';
import { RECORD_NAMES } from './layout.js';
import { checkOwnership, holdsOwner, releaseOwner } from './owner.js';
import { isFiltered } from './plan/filters.js';
import { planDirOf, readPages } from './plan/page.js';
import type { PullContext } from './pull-context.js';

/** Failures that a result carries; the journal has all of them (rule 29). */
const SHOWN_FAILURES = 10;
const SHOWN_CHARACTERS = 200;

/** Seals a pull; see TransferEngine.seal. `version` is Waybill's own. */
export async function sealPull(
  pull: PullContext,
  context: CallContext,
  version: string,
  now: () => string,
): Promise<PullResult> {
  context.progress.phase = 'sealing';
  await checkOwnership(pull.ref);
  const outcome = await gather(pull, context);
  const leftovers = await leftoversOf(pull, outcome, context);
  const all = [...outcome.entries, ...leftovers.lines].sort((a, b) =>
    compareByBytes(a.path, b.path),
  );
  const writer = new RecordWriter(() => createHash('sha256'));
  const lines = all.map((entry) => writer.add(entry));
  const totals = writer.result();
  checkTreeDigest(pull, outcome, totals.treeDigest);
  const { request, resolved } = pull.record;
  const codes = outcome.failures.map((failure) => failure.code);
  const receipt: Receipt = {
    v: 1,
    howToCheck: howToCheck(
      pull.layout.singleName === undefined
        ? RECORD_FOLDER
        : recordFolderBeside(pull.layout.singleName),
    ),
    waybill: version,
    kind: resolved.kind,
    counts: {
      files: totals.files,
      filesFetched: outcome.filesFetched,
      filesKept: outcome.filesKept,
      ...(codes.length === 0 ? {} : { filesFailed: codes.length }),
    },
    bytes: totals.bytes,
    bytesFetched: outcome.bytesFetched,
    treeDigest: totals.treeDigest,
    omsDigest: totals.omsDigest,
    manifestDigest: totals.manifestDigest,
    source: {
      asked: request.source.uri,
      resolved: resolved.uri,
      ...(resolved.revision === undefined ? {} : { revision: resolved.revision }),
      ...(resolved.transport === undefined ? {} : { transport: resolved.transport }),
      ...(resolved.facts === undefined ? {} : { facts: resolved.facts }),
    },
    destination: pull.layout.destination,
    ...filtersOf(pull),
    requireLevel: request.requireLevel,
    levels: totals.levels,
    ...readBackOf(outcome.entries),
    stale: capNames(leftovers.stale),
    ...(leftovers.pruned.length === 0 ? {} : { pruned: capNames(leftovers.pruned) }),
    skipped: {
      records: capNames(pull.journal.skippedRecords()),
      special: capNames([]),
      ...(outcome.skipped.length === 0 ? {} : { existing: capNames(outcome.skipped) }),
    },
    ...(codes.length === 0 ? {} : { failures: outcome.failures.slice(0, 1_000) }),
    warnings: pull.journal.warnings().slice(0, 1_000),
    pull: { workflowId: pull.record.pullId, runId: pull.record.runId },
    startedAt: pull.record.startedAt,
    endedAt: now(),
  };
  const result = resultOf(receipt);
  const { recordDir } = pull.ref;
  if (codes.length > 0) {
    const text = encodeReceipt(receipt);
    await writeFileDurably(join(recordDir, RECORD_NAMES.partialReceipt), text);
    await releaseOwner(pull.ref);
    return result;
  }
  await makeFolders(pull);
  // The lists of a pull that found everything in place stay as they are; the receipt tells of this pull.
  const isUnchanged = await isSealedAlready(
    pull,
    lines.map((line) => line.manifest),
  );
  if (!isUnchanged) {
    await flushFolders(pull, outcome.entries);
    await writeFileDurably(
      join(recordDir, RECORD_NAMES.sums),
      lines.map((line) => line.sums),
    );
    await writeFileDurably(
      join(recordDir, RECORD_NAMES.manifest),
      lines.map((line) => line.manifest),
    );
  }
  await writeFileDurably(join(recordDir, RECORD_NAMES.receipt), encodeReceipt(receipt));
  await pull.journal.close();
  await dropScaffolding(pull.ref);
  return result;
}

function checkTreeDigest(pull: PullContext, outcome: Outcome, actual: string): void {
  const { request, resolved } = pull.record;
  if (request.expect?.kind !== 'digest' || resolved.kind !== 'tree') return;
  if (request.expect.sha256 === actual || outcome.failures.length > 0) return;
  // A seal with the caller's digest has proven each file on its own; filters only left some of them out.
  const { entries } = outcome;
  if (entries.length > 0 && entries.every(({ level }) => level === 'digest')) return;
  outcome.failures.push({
    path: '',
    code: 'WB_DIGEST_MISMATCH',
    message: `the tree should have the digest ${request.expect.sha256} and has ${actual}`,
  });
}

function capFailures(failures: readonly Failure[]): Failure[] {
  return failures.slice(0, SHOWN_FAILURES).map(({ path, code, message }) => ({
    path: path.slice(0, SHOWN_CHARACTERS),
    code,
    message: message.slice(0, SHOWN_CHARACTERS),
  }));
}

/** The code and the words that decide how the pull ended. */
function failureOf(
  failures: readonly Failure[],
  count: number,
  published: number,
  exitCode: number,
): Pick<PullResult, 'code' | 'message'> {
  const decisive = failures.find((failure) => errorRow(failure.code).exitCode === exitCode);
  const told = decisive ?? failures[0];
  const words = told?.message ?? '';
  return {
    code: decisive?.code ?? 'WB_PARTIAL',
    message:
      published > 0
        ? `${count} of ${count + published} files failed; the first: ${words}`.slice(0, 500)
        : words.slice(0, 500),
  };
}

function readBackOf(entries: readonly ManifestEntry[]): Pick<Receipt, 'readBack'> {
  const read = entries.filter((entry) => entry.readBack !== undefined);
  if (read.length === 0) return {};
  const disk = read.filter((entry) => entry.readBack === 'disk').length;
  return { readBack: { disk, cache: read.length - disk } };
}

function filtersOf(pull: PullContext): Pick<Receipt, 'filters'> {
  const { filters } = pull.record.request;
  if (!isFiltered(filters)) return {};
  return {
    filters: {
      include: [...filters.include],
      exclude: [...filters.exclude],
      ...(filters.files === undefined ? {} : { filesFrom: true as const }),
    },
  };
}

/** Folders that the source has, empty ones above all. */
async function makeFolders(pull: PullContext): Promise<void> {
  const { filesRoot } = pull.layout;
  for await (const page of readPages(planDirOf(pull.ref.recordDir, pull.planId))) {
    for (const entry of page.entries) {
      if (entry.action !== 'make') continue;
      try {
        const made = await HeldFolder.open(filesRoot, entry.path, { makes: true });
        await made?.close();
      } catch (error) {
        throw toDestinationError(error, 'make', join(filesRoot, entry.path));
      }
    }
  }
  await makeFolderDurably(filesRoot);
  await fsyncDir(filesRoot);
}

/**
 * Every folder of every file, up to the root's own: a receipt is as durable as the names that it speaks of, and whoever
 * made or filled one of them may have died before its flush.
 */
async function flushFolders(pull: PullContext, entries: readonly ManifestEntry[]): Promise<void> {
  const folders = new Set(['.']);
  for (const { path } of entries) {
    for (let folder = dirname(path); !folders.has(folder); folder = dirname(folder)) {
      folders.add(folder);
    }
  }
  for (const folder of folders) await fsyncDir(join(pull.layout.filesRoot, folder));
}

/** A pull that found everything in place leaves the lists as they are. */
async function isSealedAlready(pull: PullContext, manifest: readonly string[]): Promise<boolean> {
  if ((await readReceipt(pull.ref.recordDir)) === undefined) return false;
  const path = join(pull.ref.recordDir, RECORD_NAMES.manifest);
  const text = await readTextIfThere(path, { maxBytes: Number.MAX_SAFE_INTEGER });
  return text === manifest.join('');
}

/**
 * The record stays, the scaffolding goes; the owner last, so that a kill in between leads here again. Run twice, it
 * does nothing more; no owner, or another one, and everything stays.
 */
export async function dropScaffolding(ref: PullRef): Promise<void> {
  const { recordDir } = ref;
  if (!(await holdsOwner(ref))) return;
  const names = [
    // First: a receipt and an owner without it say that this is what was being done.
    RECORD_NAMES.pull,
    RECORD_NAMES.partialReceipt,
    RECORD_NAMES.plan,
    RECORD_NAMES.journal,
    RECORD_NAMES.partial,
    RECORD_NAMES.previous,
    RECORD_NAMES.tuning,
  ];
  // What a kill left of a file that was being written.
  const torn = (await readdir(recordDir)).filter((name) => name.endsWith('.tmp'));
  for (const name of [...names, ...torn]) await remove(join(recordDir, name));
  await releaseOwner(ref);
}

/** The result of a pull that was sealed before, by the same run; undefined if it was not. */
export async function sealedResult(ref: PullRef): Promise<PullResult | undefined> {
  for (const name of [RECORD_NAMES.receipt, RECORD_NAMES.partialReceipt]) {
    const path = join(ref.recordDir, name);
    const text = await readTextIfThere(path);
    const receipt = text === undefined ? undefined : decodeReceipt(text, path);
    if (receipt?.pull.runId === ref.runId) return resultOf(receipt);
  }
  return undefined;
}

/** What a receipt says, as the result of its pull. */
function resultOf(receipt: Receipt): PullResult {
  const all = receipt.failures ?? [];
  const filesFailed = receipt.counts.filesFailed ?? 0;
  // A tree that is not the expected one is an integrity failure, although its files are in place.
  const isOtherTree = all.some((failure) => failure.path === '');
  const filesFetched = receipt.counts.filesFetched ?? 0;
  const filesKept = receipt.counts.filesKept ?? 0;
  const published = isOtherTree ? 0 : filesFetched + filesKept;
  const exitCode = exitCodeOf(
    all.map((failure) => failure.code),
    published,
  );
  return {
    ok: exitCode === 0,
    exitCode,
    ...(exitCode === 0 ? {} : failureOf(all, filesFailed, published, exitCode)),
    destination: receipt.destination,
    treeDigest: receipt.treeDigest,
    omsDigest: receipt.omsDigest,
    files: receipt.counts.files,
    bytes: receipt.bytes,
    filesFetched,
    bytesFetched: receipt.bytesFetched ?? 0,
    filesKept,
    filesStale: receipt.stale.count,
    filesSkipped: receipt.skipped.records.count + (receipt.skipped.existing?.count ?? 0),
    levels: receipt.levels,
    failures: capFailures(all),
    filesFailed,
    warnings: receipt.warnings
      .slice(0, SHOWN_FAILURES)
      .map((text) => text.slice(0, SHOWN_CHARACTERS)),
  };
}
