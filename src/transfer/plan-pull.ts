/** Making the plan of a claimed pull, and going on with one that was interrupted. */
import type { Readable } from 'node:stream';
import { isAbsolute } from 'node:path';
import { WaybillError } from '../model/errors.js';
import type { StoreAddress } from '../stores/store.js';
import type { CallContext, PlannedPage } from './api.js';
import { readLastManifest } from './last-manifest.js';
import { readExpectations } from './plan/expectations.js';
import { probeFolding } from './plan/names.js';
import { planDirOf, readPage } from './plan/page.js';
import { PageWriter, readSealedSoFar } from './plan/pages.js';
import { planEntries } from './plan/planner.js';
import type { PullContext, StoreOpener } from './pull-context.js';
import { Cell } from './thread/cell.js';

/** Plans one page; see TransferEngine.planPage. */
export async function planPage(
  pull: PullContext,
  page: number,
  opener: StoreOpener,
  context: CallContext,
): Promise<PlannedPage> {
  context.progress.phase = 'listing';
  const sealed = await readPage(planDirOf(pull.ref.recordDir, pull.planId), page);
  if (sealed !== undefined) return sealed.summary;
  if (pull.pageWriter?.next !== page) pull.pageWriter = await startPlanning(pull, opener, context);
  if (pull.pageWriter.next !== page) {
    throw new WaybillError('WB_UNEXPECTED', `page ${page} of the plan was asked for out of turn`, {
      operation: 'plan',
    });
  }
  const writer = pull.pageWriter;
  // A listing that failed cannot be continued: the next attempt starts it anew behind the sealed pages.
  pull.pageWriter = undefined;
  const summary = await writer.write(context);
  if (!summary.isLast) pull.pageWriter = writer;
  return summary;
}

async function startPlanning(
  pull: PullContext,
  opener: StoreOpener,
  context: CallContext,
): Promise<PageWriter> {
  const { request, resolved } = pull.record;
  const { recordDir } = pull.ref;
  const store = await pull.store();
  const [expectations, last, folding, sealed] = await Promise.all([
    readExpectations(
      request,
      store,
      resolved.kind,
      pull.layout.singleName ?? resolved.name,
      (location) => readLocation(location, pull.address, opener, context),
      context.signal,
    ),
    readLastManifest(recordDir),
    probeFolding(recordDir),
    readSealedSoFar(recordDir, pull.planId),
  ]);
  const planned = planEntries(
    {
      request,
      resolved,
      store,
      expectations,
      folding,
      singleName: pull.layout.singleName,
      planned: sealed.planned,
      existing: {
        request,
        filesRoot: pull.layout.filesRoot,
        planId: pull.planId,
        journal: pull.journal,
        last,
        hashFile: (path, sizeBytes) => hashFile(pull, path, sizeBytes),
      },
    },
    context,
  );
  return new PageWriter({
    planId: pull.planId,
    recordDir,
    filesRoot: pull.layout.filesRoot,
    journal: pull.journal,
    planned,
    sealedPages: sealed.pages,
    bytesSoFar: sealed.bytes,
    conflictsSoFar: sealed.conflicts,
  });
}

/** SHA-256 of a local file of a known size; undefined if it is shorter. */
export async function hashFile(
  pull: Pick<PullContext, 'pool'>,
  path: string,
  sizeBytes: number,
): Promise<string | undefined> {
  const cell = new Cell().memory;
  const extents = [{ offsetBytes: 0, lengthBytes: sizeBytes }];
  const hashed = await pull.pool.hashExtents({ cell, path, extents });
  return hashed.kind === 'hashed' ? hashed.sha256[0] : undefined;
}

/**
 * Opens the list that `--expect` names: a local path, or a URI that is read with the source's own connection. What came
 * inside the source's address (user, password, signed query) goes to its own host alone (rule 4).
 */
export async function readLocation(
  location: string,
  source: StoreAddress,
  opener: StoreOpener,
  context: CallContext,
): Promise<Readable> {
  const slash = location.lastIndexOf('/');
  const isHttp = /^https?:/i.test(location);
  const folder = slash === 0 ? '/' : location.slice(0, slash);
  const secrets = secretsFor(location, source);
  const store = await opener.open({ ...source, secrets, uri: isHttp ? location : folder });
  const written = location.slice(slash + 1);
  const name = isAbsolute(location) ? written : decodeURI(written);
  const opened = await store.openRead(isHttp ? '' : name, { signal: context.signal });
  opened.body.once('close', () => void store.close());
  return opened.body;
}

function secretsFor(location: string, source: StoreAddress): StoreAddress['secrets'] {
  const hostOf = (uri: string): string | undefined =>
    /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(uri)?.[0];
  const isOwnHost = hostOf(location) !== undefined && hostOf(location) === hostOf(source.uri);
  const left = isOwnHost ? ['query'] : ['query', 'username', 'password'];
  return Object.fromEntries(
    Object.entries(source.secrets).filter(([name]) => !left.includes(name)),
  );
}
