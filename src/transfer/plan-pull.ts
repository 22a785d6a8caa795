/** Making the plan of a claimed pull, and going on with one that was interrupted. */
import { WaybillError } from '../model/errors.js';
import type { CallContext, PlannedPage } from './api.js';
import { hashFile } from './hash-local-file.js';
import { readLastManifest } from './last-manifest.js';
import { readLocation, type ListOpener } from './list-location.js';
import { pinAsker } from './plan/ask-pin.js';
import type { ExistingContext } from './plan/existing.js';
import { readExpectations } from './plan/expectations.js';
import { beginNow } from './plan/begun.js';
import { inBatches } from './plan/in-batches.js';
import { LiveListing } from './plan/live-listing.js';
import { planDirOf, readPage } from './plan/page.js';
import { Parents } from './plan/parents.js';
import { PageWriter, readSealedSoFar } from './plan/pages.js';
import { listSource, planEntries } from './plan/planner.js';
import { probeNames } from './plan/probe-names.js';
import type { PullContext } from './pull-context.js';
import { noteSource } from './source-note.js';
import type { Space } from './space.js';
import { readFilesBack, type Written } from './read-back.js';

/** Plans one page; see TransferEngine.planPage. */
export async function planPage(
  pull: PullContext,
  page: number,
  opener: ListOpener,
  space: Space,
  context: CallContext,
): Promise<PlannedPage> {
  context.progress.phase = 'listing';
  const sealed = await readPage(planDirOf(pull.ref.recordDir, pull.planId), page);
  if (sealed !== undefined) return sealed.summary;
  if (pull.pageWriter?.next !== page) {
    pull.pageWriter?.close();
    pull.pageWriter = await startPlanning(pull, opener, space, context);
  }
  if (pull.pageWriter.next !== page) {
    throw new WaybillError('WB_UNEXPECTED', `page ${page} of the plan was asked for out of turn`, {
      operation: 'plan',
    });
  }
  const writer = pull.pageWriter;
  pull.pageWriter = undefined;
  try {
    const summary = await writer.write(context);
    if (!summary.isLast) pull.pageWriter = writer;
    return summary;
  } catch (error) {
    // Whoever waits for room, or for a page of the listing, need not list again. Else it starts anew behind the sealed pages.
    if (writer.canGoOn) pull.pageWriter = writer;
    else writer.close();
    throw error;
  }
}

async function startPlanning(
  pull: PullContext,
  opener: ListOpener,
  space: Space,
  context: CallContext,
): Promise<PageWriter> {
  const { request, resolved } = pull.record;
  const { recordDir } = pull.ref;
  const store = await pull.store();
  const live = new LiveListing();
  const source = {
    live,
    resolved,
    store,
    lookAtHost: (paths: readonly string[]) => pull.pool.lookAtHost(paths),
  };
  // Far away each question waits for its answer: the listing is asked for beside what else the source has to say.
  const listing = beginNow(listSource(source, live));
  const [expectations, last, namesThere, sealed] = await Promise.all([
    readExpectations(
      request,
      store,
      {
        kind: resolved.kind,
        name: pull.layout.singleName ?? resolved.name,
        nameAtSource: resolved.name,
        uri: resolved.uri,
      },
      (location) => readLocation(location, pull.address, opener, context),
      context.signal,
    ),
    readLastManifest(recordDir),
    probeNames(recordDir),
    readSealedSoFar(recordDir, pull.planId),
    noteSource(store, planDirOf(recordDir, pull.planId), context.signal),
  ]).catch((error: unknown) => {
    live.close();
    listing.drop();
    throw error;
  });
  pull.last = last;
  const planned = planEntries(
    {
      request,
      ...source,
      listing: listing.items,
      expectations,
      namesThere,
      singleName: pull.layout.singleName,
      planned: sealed.planned,
      existing: {
        request,
        filesRoot: pull.layout.filesRoot,
        planId: pull.planId,
        parents: new Parents(pull.layout.filesRoot),
        journal: pull.journal,
        last,
        look: pull.look,
        hashFile: (path, sizeBytes) => hashFile(pull, path, sizeBytes, live),
        ...(request.reread ? { readBack: keptReader(pull, live) } : {}),
        ...pinAsker(store, live.signal, live),
      },
    },
    live,
  );
  return new PageWriter({
    planId: pull.planId,
    recordDir,
    reserve: (bytesToFetch, seal) => space.reserve(pull, bytesToFetch, seal),
    journal: pull.journal,
    planned,
    live,
    comparesBytes: request.checksum,
    sealedPages: sealed.pages,
    bytesSoFar: sealed.bytes,
    conflictsSoFar: sealed.conflicts,
  });
}

/** Reads kept files back past the page cache (`--reread`). */
function keptReader(
  pull: PullContext,
  context: CallContext,
): NonNullable<ExistingContext['readBack']> {
  const readOne = inBatches((files: readonly Written[]) => readFilesBack(pull, files, context));
  return async (absolutePath, kept) => {
    const result = await readOne({ absolutePath, entry: kept });
    if ('error' in result) return undefined;
    return result.entry.readBack === kept.readBack ? kept : result.entry;
  };
}
