/** Files that a record says are on a disk, and this machine has no such path. */
import { dirname } from 'node:path';
import type { WaybillError } from '../../model/errors.js';
import { mlflowError } from './errors.js';
import { PATH_MAP } from '../lib/path-map.js';

/**
 * `owner`: `run 4f..`; `wanted`: the path that was looked for; `root`: the run's artifact root; `server`: the one that has
 * nothing there either. Whether nothing was logged, it cannot tell.
 */
export function notHere(files: {
  readonly owner: string;
  readonly wanted: string;
  readonly root: string;
  readonly server?: string;
}): WaybillError {
  const { owner, wanted, root, server } = files;
  const where =
    server === undefined
      ? 'there is nothing on this one'
      : `MLflow at ${server} has nothing there (perhaps nothing was logged)`;
  return mlflowError(
    'WB_NOT_FOUND',
    `the files of ${owner} lie at ${wanted}, on the disk of the machine that logged them, and ${where}: ` +
      `pull there, or: ${howToMap(root)}`,
    { operation: 'resolve', scope: 'source' },
  );
}

/** What to set where another machine's disk is here under another path. */
export function howToMap(root: string): string {
  // .../mlruns/<experiment>/<run>/artifacts
  const tree = /^(.*\/(?:mlruns|mlartifacts))\//.exec(root)?.[1] ?? dirname(root);
  return (
    "if that disk is another machine's, mounted or copied to this one, say where: " +
    `${PATH_MAP}=${tree}=/where/it/is/here (path_map of a connection)`
  );
}
