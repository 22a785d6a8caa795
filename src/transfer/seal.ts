/** Ending a pull: plan and journal become SHA256SUMS, manifest and receipt (rule 20). */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  capNames,
  decodeReceipt,
  encodeReceipt,
  howToCheck,
  recordFolderBeside,
  type ManifestEntry,
  type Receipt,
} from '../manifest/index.js';
import { asWaybillError } from '../model/errors.js';
import { RECORD_FOLDER } from '../model/object-path.js';
import type { Failure, PullEnd, PullResult } from '../model/pull.js';
import { countSpecials } from '../model/special.js';
import { startProgress, type CallContext, type PullRef } from './api.js';
import { toNameError } from './destination-error.js';
import { fsyncDir, readTextIfThere, remove, writeFileDurably } from './durable-file.js';
import { gather, leftoversOf, type Outcome } from './gather.js';
import { HeldFolder } from './held-folder.js';
import { readReceipt } from './last-manifest.js';
import { RECORD_NAMES } from './layout.js';
import { checkOwnership, checkPlace, holdsOwner, releaseOwner } from './owner.js';
import { isFiltered } from './plan/filters.js';
import { planDirOf, readPages } from './plan/page.js';
import type { PullContext } from './pull-context.js';
import { resultOf } from './receipt-result.js';
import { recordOf } from './record-of.js';

/**
 * Writes receipt.partial.json and the lists of what is in place, for a pull that ends before it is through. Undefined
 * where nothing is in place.
 */
export async function leavePartialRecord(
  pull: PullContext,
  end: PullEnd,
  version: string,
  now: () => string,
): Promise<PullResult | undefined> {
  const context = {
    signal: new AbortController().signal,
    progress: startProgress('sealing'),
    attempt: 1,
  };
  const { entries } = await gather(pull, context, { isEnded: true });
  return entries.length === 0 ? undefined : sealPull(pull, context, version, now, end);
}

/**
 * Seals a pull; see TransferEngine.seal. `version` is Waybill's own. With `end` it writes down what is in place of a
 * pull that ends before it is through.
 */
export async function sealPull(
  pull: PullContext,
  context: CallContext,
  version: string,
  now: () => string,
  end?: PullEnd,
): Promise<PullResult> {
  const isEnded = end !== undefined;
  context.progress.phase = 'sealing';
  await checkOwnership(pull.ref);
  const outcome = await gather(pull, context, { isEnded });
  const leftovers = await leftoversOf(pull, outcome, context, { isEnded });
  const { lines, totals } = recordOf(outcome, leftovers.lines);
  if (!isEnded) checkTreeDigest(pull, outcome, totals.treeDigest);
  if (!isEnded && outcome.failures.length === 0)
    outcome.failures.push(...(await makeFolders(pull)));
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
      ...(isEnded ? { filesLeft: outcome.filesLeft } : {}),
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
    // A line may still tell of a pull before this one.
    ...(request.reread ? readBackOf(outcome.entries) : {}),
    stale: capNames(leftovers.stale),
    ...(leftovers.pruned.length === 0 ? {} : { pruned: capNames(leftovers.pruned) }),
    skipped: {
      records: capNames(pull.journal.skippedRecords()),
      special: specialsOf(pull),
      ...(outcome.skipped.length === 0 ? {} : { existing: capNames(outcome.skipped) }),
    },
    ...(end === undefined ? {} : { ended: end }),
    ...(codes.length === 0 ? {} : { failures: outcome.failures.slice(0, 1_000) }),
    warnings: pull.journal.warnings().slice(0, 1_000),
    pull: { workflowId: pull.record.pullId, runId: pull.record.runId },
    startedAt: pull.record.startedAt,
    endedAt: now(),
  };
  const result = resultOf(receipt);
  const { recordDir } = pull.ref;
  if (codes.length > 0 || isEnded) {
    try {
      // While a receipt is there no byte is new, and its lists are the truth.
      if ((await readReceipt(recordDir)) === undefined) await writeLists(recordDir, lines ?? []);
      const path = join(recordDir, RECORD_NAMES.partialReceipt);
      await writeFileDurably(path, encodeReceipt(receipt));
    } catch (error) {
      if (!isEnded) throw error;
      // A disk without a free byte takes no record either; the journal tells the next run what is in place.
      const why = `no ${RECORD_NAMES.partialReceipt}: ${asWaybillError(error).message}`;
      return { ...result, warnings: [why, ...result.warnings] };
    }
    await releaseOwner(pull.ref);
    return result;
  }
  // The lists of a pull that found everything in place stay as they are; the receipt tells of this pull.
  if (lines !== undefined) {
    await flushFolders(pull, outcome.entries);
    await writeLists(recordDir, lines);
  }
  await writeFileDurably(join(recordDir, RECORD_NAMES.receipt), encodeReceipt(receipt));
  await pull.journal.close();
  await dropScaffolding(pull.ref);
  return result;
}

/** What SHA256SUMS and the manifest say of the files in place. */
async function writeLists(
  recordDir: string,
  lines: readonly { readonly sums: string; readonly manifest: string }[],
): Promise<void> {
  await writeFileDurably(
    join(recordDir, RECORD_NAMES.sums),
    lines.map((line) => line.sums),
  );
  await writeFileDurably(
    join(recordDir, RECORD_NAMES.manifest),
    lines.map((line) => line.manifest),
  );
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

/** What the plan left out, for it is neither file nor folder. */
function specialsOf(pull: PullContext): Receipt['skipped']['special'] {
  const specials = pull.journal.specials(pull.planId);
  const names = capNames(specials.map(({ path }) => path));
  if (specials.length === 0) return names;
  return { ...names, kinds: countSpecials(specials.map(({ special }) => special)) };
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

/** Folders that the source has, empty ones above all. Answers those whose name cannot be had. */
async function makeFolders(pull: PullContext): Promise<Failure[]> {
  const { filesRoot } = pull.layout;
  const refused: Failure[] = [];
  for await (const page of readPages(planDirOf(pull.ref.recordDir, pull.planId))) {
    for (const entry of page.entries) {
      if (entry.action !== 'make') continue;
      try {
        const made = await HeldFolder.open(filesRoot, entry.path, {
          makes: true,
          beforeMaking: () => checkPlace(pull.ref),
        });
        await made?.close();
      } catch (error) {
        const known = toNameError(error, 'make', join(filesRoot, entry.path));
        if (known.scope !== 'file') throw known;
        refused.push({ path: entry.path, code: known.code, message: known.message });
      }
    }
  }
  await fsyncDir(filesRoot);
  return refused;
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
