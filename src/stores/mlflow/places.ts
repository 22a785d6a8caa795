/** Where MLflow keeps its records: at a server, or on disk in a folder (`./mlruns`) or a SQLite database. */
import { existsSync, readdirSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { hasScheme } from '../../model/artifact-uri.js';
import type { ConnectionSettings } from '../store.js';

/** A place of records on this machine. */
export interface DiskPlace {
  readonly kind: 'folder' | 'database';
  /** As it is written: perhaps relative. */
  readonly path: string;
}

const VARIABLES = ['MLFLOW_TRACKING_URI', 'MLFLOW_REGISTRY_URI'] as const;

/** The place on disk that a tracking URI names, as MLflow reads it; undefined: a server, or what Waybill does not read. */
export function diskPlaceOf(value: string): DiskPlace | undefined {
  const database = /^sqlite(?:\+[a-z]+)?:\/\/\/([^?]+)/i.exec(value)?.[1];
  if (database !== undefined) return { kind: 'database', path: database };
  if (/^file:/i.test(value)) {
    const path = pathOfFileUri(value);
    return path === undefined ? undefined : { kind: 'folder', path };
  }
  if (value === '' || hasScheme(value) || /^(databricks(-uc)?|uc)$/.test(value)) return undefined;
  return { kind: 'folder', path: value };
}

/** `file:./mlruns` and `file:mlruns` are relative to MLflow, whatever the standard says of them. */
function pathOfFileUri(uri: string): string | undefined {
  const rest = uri.slice('file:'.length);
  if (!rest.startsWith('/')) return rest === '' ? undefined : rest;
  try {
    return fileURLToPath(rest.startsWith('//') ? uri : `file://${rest}`);
  } catch {
    return undefined;
  }
}

/** Whether the records that these settings name lie on disk. */
export function isOnDisk(settings: ConnectionSettings): boolean {
  return diskPlaceOf(settings['MLFLOW_TRACKING_URI'] ?? '') !== undefined;
}

/** The first setting that names a place of this machine: a worker that serves anybody must not follow it (rule 4). */
export function namedPlace(settings: ConnectionSettings): string | undefined {
  return VARIABLES.find((name) => diskPlaceOf(settings[name] ?? '') !== undefined);
}

/**
 * The settings with such places made absolute. Where no server is named it is, as for MLflow itself, the `mlruns` of the
 * working folder if it holds experiments, else its `mlflow.db`.
 */
export function absolutePlaces(settings: ConnectionSettings, cwd: string): ConnectionSettings {
  const found: Record<string, string> = {};
  for (const name of VARIABLES) {
    const place = diskPlaceOf(settings[name] ?? '');
    if (place !== undefined) found[name] = uriOf({ ...place, path: resolve(cwd, place.path) });
  }
  if (!settings['MLFLOW_TRACKING_URI']) {
    const own = ownPlace(cwd);
    if (own !== undefined) found['MLFLOW_TRACKING_URI'] = uriOf(own);
  }
  return { ...settings, ...found };
}

function ownPlace(cwd: string): DiskPlace | undefined {
  const folder = join(cwd, 'mlruns');
  if (holdsExperiments(folder)) return { kind: 'folder', path: folder };
  const database = join(cwd, 'mlflow.db');
  return existsSync(database) ? { kind: 'database', path: database } : undefined;
}

function holdsExperiments(folder: string): boolean {
  try {
    const names = readdirSync(folder).filter((name) => /^\d+$/.test(name));
    return names.some((name) => existsSync(join(folder, name, 'meta.yaml')));
  } catch {
    return false;
  }
}

function uriOf({ kind, path }: DiskPlace): string {
  return kind === 'folder' ? pathToFileURL(path).href : `sqlite:///${path}`;
}

/** Whether a place can be opened by a process whose working folder is nobody's. */
export function isAbsolutePlace({ path }: DiskPlace): boolean {
  return isAbsolute(path);
}
