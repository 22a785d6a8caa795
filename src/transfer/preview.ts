/** `waybill pull --dry-run`: what a pull would do, file by file, with nothing written anywhere. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { PullRequest } from '../model/pull.js';
import type { StoreAddress } from '../stores/store.js';
import type { CallContext, ResolvedSource } from './api.js';
import { Journal } from './journal.js';
import { readLastManifest } from './last-manifest.js';
import { layoutOf, RECORD_NAMES } from './layout.js';
import { readLocation, type ListOpener } from './list-location.js';
import type { ExistingContext } from './plan/existing.js';
import { pinAsker } from './plan/ask-pin.js';
import { readExpectations } from './plan/expectations.js';
import { Parents } from './plan/parents.js';
import { PlannedPaths } from './plan/planned-paths.js';
import { lookHere } from './looker.js';
import { planEntries, type Planned } from './plan/planner.js';
import { EXACT_NAMES } from './plan/probe-names.js';
import { thisProcess } from './process-identity.js';
import type { StoreOpener } from './pull-context.js';
import { ownReach } from './reach.js';
import { findStorage, nameOfSource, type Resolver } from './storage-address.js';

/** What a preview is made with. */
export interface PreviewInput {
  readonly request: PullRequest;
  /** The source with its secrets. */
  readonly address: StoreAddress;
  readonly sources: StoreOpener &
    Resolver & {
      factoryOf(uri: string): { localName(uri: string): string | undefined };
    };
}

/** A pull that did not happen. */
export interface Preview {
  readonly resolved: ResolvedSource;
  /** Absolute path of the folder or file that would be there. */
  readonly destination: string;
  readonly planned: AsyncIterable<Planned>;
}

const NO_JOURNAL: ExistingContext['journal'] = {
  fetched: () => Promise.resolve(undefined),
  publishing: () => undefined,
};

async function openJournal(recordDir: string): Promise<ExistingContext['journal']> {
  const folder = join(recordDir, RECORD_NAMES.journal);
  const isThere = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  // Opening one that is not there would make it.
  return isThere ? Journal.open(folder, thisProcess()) : NO_JOURNAL;
}

async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash, { signal });
  return hash.digest('hex');
}

/** Resolves the source and tells what is planned while it lists. Throws what resolving, listing and planning throw. */
export async function previewPull(input: PreviewInput, context: CallContext): Promise<Preview> {
  const { request, address, sources } = input;
  const { signal } = context;
  const found = await findStorage(address, sources, ownReach, signal);
  const { resolution, address: storage } = found;
  const { settings } = storage;
  const store = await sources.open(storage);
  const root = await store.stat('', { signal });
  const name = nameOfSource(sources, address.uri, resolution, root.kind);
  const resolved: ResolvedSource = {
    ...resolution,
    settings,
    kind: root.kind === 'file' ? 'file' : 'tree',
    name,
  };
  const layout = layoutOf(request, resolved);
  const lists: ListOpener = {
    isReference: (uri) => sources.isReference(uri),
    resolve: (asked, options) => sources.resolve(asked, options),
    open: async (list) => {
      await ownReach.checkSource(list.uri, list.uri, list.settings);
      return sources.open(list);
    },
  };
  const [expectations, last, journal] = await Promise.all([
    readExpectations(
      request,
      store,
      {
        kind: resolved.kind,
        name: layout.singleName ?? name,
        nameAtSource: name,
        uri: resolved.uri,
      },
      (location) => readLocation(location, storage, lists, context),
      signal,
    ),
    readLastManifest(layout.recordDir),
    openJournal(layout.recordDir),
  ]);
  const planned = planEntries(
    {
      request,
      resolved,
      store,
      expectations,
      // Probing would write; a clash of names is found by the pull itself.
      namesThere: EXACT_NAMES,
      singleName: layout.singleName,
      planned: new PlannedPaths(),
      existing: {
        request,
        filesRoot: layout.filesRoot,
        planId: 'preview',
        parents: new Parents(layout.filesRoot),
        journal,
        last,
        look: lookHere,
        hashFile: (path) => hashFile(path, signal),
        ...pinAsker(store, signal),
      },
    },
    context,
  );
  return { resolved, destination: layout.destination, planned: closing(planned, store) };
}

async function* closing(
  planned: AsyncIterable<Planned>,
  store: { close(): Promise<void> },
): AsyncGenerator<Planned> {
  try {
    yield* planned;
  } finally {
    await store.close();
  }
}
