/** Where a pull lands: the folder of its files and the folder of its records. */
import { basename, dirname, join } from 'node:path';
import { RECORD_FILES, recordFolderBeside } from '../manifest/receipt.js';
import { RECORD_FOLDER, guardPath } from '../model/object-path.js';
import type { PullRequest } from '../model/pull.js';
import type { ResolvedSource } from './api.js';

/** Absolute paths of a pull's places. */
export interface Layout {
  /** What the user gets told: the folder of a tree, or the file. */
  readonly destination: string;
  /** The folder that paths of entries are relative to. */
  readonly filesRoot: string;
  readonly recordDir: string;
  /** The only file's name below `filesRoot`; absent for a tree. */
  readonly singleName?: string;
}

/**
 * A tree's contents go into DEST. A single file is DEST, or goes into it where DEST is a folder; its records
 * lie beside it as `.<name>.waybill`.
 */
export function layoutOf(request: PullRequest, resolved: ResolvedSource): Layout {
  const { path, isFolder } = request.destination;
  if (resolved.kind === 'tree') {
    return { destination: path, filesRoot: path, recordDir: join(path, RECORD_FOLDER) };
  }
  const filesRoot = isFolder ? path : dirname(path);
  const singleName = isFolder ? guardPath(resolved.name) : basename(path);
  return {
    destination: join(filesRoot, singleName),
    filesRoot,
    recordDir: join(filesRoot, recordFolderBeside(singleName)),
    singleName,
  };
}

/** Names inside the record folder: what a finished pull leaves, and the scaffolding of a running one. */
export const RECORD_NAMES = {
  ...RECORD_FILES,
  owner: 'owner.json',
  destination: 'destination.json',
  pull: 'pull.json',
  /** Limits that were changed while the pull runs. */
  tuning: 'tuning.json',
  plan: 'plan',
  journal: 'journal',
  partial: 'partial',
  /** Lines of the record, while they are sorted. */
  sorting: 'sorting',
} as const;
