/** MLflow without a server: its records are read where they lie, and its files are left to the stores that they lie in. */
import { lstat } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';
import { pathToFileURL } from 'node:url';
import { redactUri } from '../../../model/artifact-uri.js';
import type { ConnectionSecrets, ConnectionSettings, StoreAddress } from '../../store.js';
import { howToHaveAccess, isUnlisted, storageUri } from '../direct.js';
import { mlflowError } from '../errors.js';
import { allowedPath, diskPath, isDiskRoot } from '../../lib/local-roots.js';
import { encodePath } from '../names.js';
import { findMapped, mapPath, PATH_MAP, readPathMap } from '../../lib/path-map.js';
import { notHere } from '../not-here.js';
import { diskPlaceOf, isAbsolutePlace } from '../places.js';
import type { DiskPlace } from '../places.js';
import type { Target } from '../target.js';
import type { Tracking } from '../tracking.js';
import type { Chosen } from '../transport.js';
import { openFolder } from './folder-records.js';
import type { Records } from './records.js';
import { openDatabase } from './sqlite-records.js';
import { diskTracking } from './tracking.js';

/** Which records, and what they may lead to. */
export interface OnDisk {
  readonly runs: Records;
  readonly registry: Records;
  readonly tracking: Tracking;
  /** Folders in which the files of runs may be read (rule 4). */
  readonly roots: readonly string[];
  readonly settings: ConnectionSettings;
  readonly secrets: ConnectionSecrets;
  close(): void;
}

/** Opens the records that an address names. */
export async function openOnDisk({ settings, secrets }: StoreAddress): Promise<OnDisk> {
  const place = placeIn(settings, 'MLFLOW_TRACKING_URI');
  const registryUri = settings['MLFLOW_REGISTRY_URI'];
  const isApart = registryUri && registryUri !== settings['MLFLOW_TRACKING_URI'];
  const registryPlace = isApart ? placeIn(settings, 'MLFLOW_REGISTRY_URI') : place;
  const workspace = settings['MLFLOW_WORKSPACE'] ?? 'default';
  const runs = await openPlace(place, workspace);
  const registry = isApart
    ? await openPlace(registryPlace, workspace).catch((error: unknown) => {
        runs.close();
        throw error;
      })
    : runs;
  const roots = [
    ...rootsOf(place),
    ...rootsOf(registryPlace),
    ...(settings['ALLOW_LOCAL_ROOTS'] ?? '').split(':').filter((root) => root !== ''),
  ];
  return {
    runs,
    registry,
    roots,
    settings,
    secrets,
    tracking: diskTracking(runs, registry, (artifactUri) => findHere(settings, roots, artifactUri)),
    close: () => {
      runs.close();
      if (registry !== runs) registry.close();
    },
  };
}

function placeIn(settings: ConnectionSettings, variable: string): DiskPlace {
  const value = settings[variable] ?? '';
  const place = diskPlaceOf(value);
  if (place === undefined) {
    throw mlflowError(
      'WB_UNSUPPORTED',
      `MLFLOW_TRACKING_URI is on this machine, and ${variable} is ${redactUri(value)}: Waybill reads both from disk or both ` +
        'from servers; pull from one at a time',
      { operation: 'resolve', scope: 'source' },
    );
  }
  if (isAbsolutePlace(place)) return place;
  throw mlflowError(
    'WB_CONFIG_INVALID',
    `${variable} is ${value}, which is relative, and a worker's working folder is nobody's: write the absolute path`,
    { operation: 'resolve', scope: 'source' },
  );
}

function openPlace({ kind, path }: DiskPlace, workspace: string): Promise<Records> {
  return kind === 'folder' ? openFolder(path) : openDatabase(path, workspace);
}

/** The folders that MLflow itself puts files into: the record's own, and the two beside a database. */
function rootsOf({ kind, path }: DiskPlace): string[] {
  if (kind === 'folder') return parse(path).root === path ? [] : [path];
  return ['mlruns', 'mlartifacts'].map((name) => join(dirname(path), name));
}

async function findHere(
  settings: ConnectionSettings,
  roots: readonly string[],
  artifactUri: string,
): Promise<string | undefined> {
  const mapped = mapPath(readPathMap(settings), artifactUri, '');
  if (mapped !== undefined) return allowedPath([mapped.entry.to], mapped.path);
  return isDiskRoot(artifactUri) ? allowedPath(roots, diskPath(artifactUri)) : undefined;
}

/** Where the files of a target are read from. */
export async function chooseOnDisk(
  { runs, roots, settings, secrets }: OnDisk,
  { artifactUri, path, runId, modelId }: Target,
): Promise<Chosen> {
  encodePath(path, 'resolve');
  const chosen = (uri: string, why: string): Chosen => ({
    uri,
    settings: {},
    transport: `direct (${why})`,
    warnings: [],
  });
  const mapped = await findMapped(settings, artifactUri, path);
  if (mapped !== undefined) return chosen(fileUri(mapped.path), mapped.why);
  const shown = storageUri(artifactUri, path);
  if (isDiskRoot(artifactUri)) {
    const wanted = join(diskPath(artifactUri), path);
    const here = await allowedPath(roots, wanted);
    if (here !== undefined) return chosen(fileUri(here), `no server: ${runs.place} is read here`);
    const owner = runId !== undefined ? `run ${runId}` : `model ${modelId ?? ''}`.trim();
    throw await notReadable({ owner, wanted, root: diskPath(artifactUri), path, roots });
  }
  if (/^(mlflow-artifacts|https?):/i.test(artifactUri)) {
    throw mlflowError(
      'WB_CONFIG_INVALID',
      `${runs.place} says that the files lie at ${shown}, behind a server: set MLFLOW_TRACKING_URI to its http(s) address, ` +
        `or, where its folder is on this machine, ${PATH_MAP}=mlflow-artifacts:/=/path/of/mlartifacts`,
      { operation: 'resolve', scope: 'source' },
    );
  }
  // Records that somebody sent may name any host, to which nothing of whoever reads them may go.
  if (isUnlisted(shown, { settings, secrets })) {
    throw mlflowError(
      'WB_CONFIG_INVALID',
      `${runs.place} says that the files lie at ${shown}: if you trust that, ` +
        howToHaveAccess(shown, artifactUri, { settings, secrets }),
      { operation: 'resolve', scope: 'source' },
    );
  }
  return chosen(shown, `no server: ${runs.place} says that the files lie there`);
}

/** A `file:` URI of a path; its real name may hold anything. */
function fileUri(path: string): string {
  return pathToFileURL(path).href;
}

interface Unreadable {
  readonly owner: string;
  readonly wanted: string;
  readonly root: string;
  readonly path: string;
  readonly roots: readonly string[];
}

/** Not there, there and not allowed, or on another machine: three things to do. */
async function notReadable(files: Unreadable): Promise<Error> {
  const { owner, wanted, root, path, roots } = files;
  if (await allowedPath(roots, await deepestFolder(wanted))) {
    const message = path === '' ? `${owner} has no files at all` : `${owner} has no ${path}`;
    return mlflowError('WB_NOT_FOUND', `${message}: there is no ${wanted}`, {
      operation: 'resolve',
    });
  }
  if (await allowedPath(['/'], wanted)) {
    return mlflowError(
      'WB_CONFIG_INVALID',
      `the files of ${owner} lie at ${wanted}, outside of the folders of this MLflow: if you trust what it says, name the ` +
        `folder: ALLOW_LOCAL_ROOTS=${root} (allow_local_roots of a connection)`,
      { operation: 'resolve', scope: 'source' },
    );
  }
  return notHere({ owner, wanted, root });
}

/** As much of a path as exists. */
async function deepestFolder(path: string): Promise<string> {
  for (let current = path; ; current = dirname(current)) {
    const isThere = await lstat(current).then(
      () => true,
      () => false,
    );
    if (isThere || current === dirname(current)) return current;
  }
}
