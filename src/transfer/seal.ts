/** Ending a pull: plan and journal become SHA256SUMS, manifest and receipt (rule 20). */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  capNames,
  decodeReceipt,
  encodeReceipt,
  howToCheck,
  recordFolderBeside,
  type Receipt,
} from '../manifest/index.js';
import { asWaybillError } from '../model/errors.js';
import { RECORD_FOLDER } from '../model/object-path.js';
import type { PullEnd, PullResult } from '../model/pull.js';
import { countSpecials } from '../model/special.js';
import { startProgress, type CallContext, type PullRef } from './api.js';
import { toNameError } from './destination-error.js';
import { fsyncDir, readTextIfThere, remove, writeFileDurably } from './durable-file.js';
import type { Capped } from './capped.js';
import { gather, leftoversOf, type Leftovers, type Outcome } from './gather.js';
import { HeldFolder } from './held-folder.js';
import { readReceipt } from './last-manifest.js';
import { RECORD_NAMES } from './layout.js';
import { checkOwnership, checkPlace, holdsOwner, releaseOwner } from './owner.js';
import { isFiltered } from './plan/filters.js';
import { planDirOf, readPages } from './plan/page.js';
import type { PullContext } from './pull-context.js';
import { resultOf } from './receipt-result.js';
import { keepSourceNote } from './source-note.js';
import { writeLists, type PullRecordLists } from './record-of.js';

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
  await checkOwnership(pull.ref);
  const outcome = await gather(pull, context, { isEnded: true });
  try {
    if (outcome.files === 0) return undefined;
    return await sealOutcome(pull, outcome, context, { version, now, end });
  } finally {
    await outcome.lines.drop();
  }
}

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
  try {
    return await sealOutcome(pull, outcome, context, { version, now });
  } finally {
    await outcome.lines.drop();
  }
}

interface Sealing {
  readonly version: string;
  readonly now: () => string;
  /** What is in place of a pull that ends before it is through is written down. */
  readonly end?: PullEnd;
}

async function sealOutcome(
  pull: PullContext,
  outcome: Outcome,
  context: CallContext,
  sealing: Sealing,
): Promise<PullResult> {
  const isEnded = sealing.end !== undefined;
  const leftovers = await leftoversOf(pull, outcome, context, { isEnded });
  const isWell = !isEnded && outcome.failures.count === 0;
  const lists = await writeLists(outcome, context, {
    recordDir: pull.ref.recordDir,
    mayFail: isEnded,
    ...(isWell ? { flushBelow: pull.layout.filesRoot } : {}),
  });
  try {
    if (!isEnded) checkTreeDigest(pull, outcome, lists.totals.treeDigest);
    if (!isEnded && outcome.failures.count === 0) await makeFolders(pull, outcome);
    const receipt = receiptOf(pull, outcome, leftovers, lists, sealing);
    return await writeRecord(pull, receipt, lists);
  } finally {
    await lists.drop();
  }
}

function receiptOf(
  pull: PullContext,
  outcome: Outcome,
  leftovers: Leftovers,
  { totals }: PullRecordLists,
  { version, now, end }: Sealing,
): Receipt {
  const { request, resolved } = pull.record;
  const { failures, skipped } = outcome;
  return {
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
      ...(failures.count === 0 ? {} : { filesFailed: failures.count }),
      ...(end === undefined ? {} : { filesLeft: outcome.filesLeft }),
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
    ...(request.reread && outcome.readBack.disk + outcome.readBack.cache > 0
      ? { readBack: { ...outcome.readBack } }
      : {}),
    stale: namesOf(leftovers.stale),
    ...(leftovers.pruned.count === 0 ? {} : { pruned: namesOf(leftovers.pruned) }),
    skipped: {
      records: capNames(pull.journal.skippedRecords()),
      special: specialsOf(pull),
      ...(skipped.count === 0 ? {} : { existing: namesOf(skipped) }),
    },
    ...(end === undefined ? {} : { ended: end }),
    ...(failures.count === 0 ? {} : { failures: [...failures.first] }),
    warnings: pull.journal.warnings().slice(0, 1_000),
    pull: { workflowId: pull.record.pullId, runId: pull.record.runId },
    startedAt: pull.record.startedAt,
    endedAt: now(),
  };
}

function namesOf({ count, first }: Capped<string>): Receipt['stale'] {
  return { count, first: [...first] };
}

/** Lists, then the receipt; a pull that is not through leaves a receipt.partial.json and no more. */
async function writeRecord(
  pull: PullContext,
  receipt: Receipt,
  lists: PullRecordLists,
): Promise<PullResult> {
  const result = resultOf(receipt);
  const { recordDir } = pull.ref;
  const isEnded = receipt.ended !== undefined;
  if (receipt.failures !== undefined || isEnded) {
    try {
      // While a receipt is there no byte is new, and its lists are the truth.
      if ((await readReceipt(recordDir)) === undefined) {
        await lists.commit();
        await keepSourceNote(planDirOf(recordDir, pull.planId), recordDir);
      }
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
  await lists.commit();
  await keepSourceNote(planDirOf(recordDir, pull.planId), recordDir);
  await writeFileDurably(join(recordDir, RECORD_NAMES.receipt), encodeReceipt(receipt));
  await pull.journal.close();
  await dropScaffolding(pull.ref);
  return result;
}

function checkTreeDigest(pull: PullContext, outcome: Outcome, actual: string): void {
  const { request, resolved } = pull.record;
  if (request.expect?.kind !== 'digest' || resolved.kind !== 'tree') return;
  if (request.expect.sha256 === actual || outcome.failures.count > 0) return;
  // A seal with the caller's digest has proven each file on its own; filters only left some of them out.
  if (outcome.files > 0 && outcome.digestFiles === outcome.files) return;
  outcome.failures.add({
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

/** Folders that the source has, empty ones above all. Those whose name cannot be had are failures. */
async function makeFolders(pull: PullContext, outcome: Outcome): Promise<void> {
  const { filesRoot } = pull.layout;
  for await (const page of readPages(planDirOf(pull.ref.recordDir, pull.planId))) {
    for (const entry of page.folders()) {
      try {
        const made = await HeldFolder.open(filesRoot, entry.path, {
          makes: true,
          beforeMaking: () => checkPlace(pull.ref),
        });
        await made?.close();
      } catch (error) {
        const known = toNameError(error, 'make', join(filesRoot, entry.path));
        if (known.scope !== 'file') throw known;
        outcome.failures.add({ path: entry.path, code: known.code, message: known.message });
      }
    }
  }
  await fsyncDir(filesRoot);
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
    RECORD_NAMES.sorting,
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
