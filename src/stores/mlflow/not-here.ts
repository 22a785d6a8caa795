/** Files that a record says are on a disk, and this machine has no such path. */
import { dirname } from 'node:path';
import type { WaybillError } from '../../model/errors.js';
import { mlflowError } from './errors.js';
import { PATH_MAP } from './path-map.js';

/** `owner`: `run 4f..`; `wanted`: the path that was looked for; `root`: the run's artifact root. */
export function notHere(files: {
  readonly owner: string;
  readonly wanted: string;
  readonly root: string;
}): WaybillError {
  const { owner, wanted, root } = files;
  // .../mlruns/<experiment>/<run>/artifacts
  const tree = /^(.*\/(?:mlruns|mlartifacts))\//.exec(root)?.[1] ?? dirname(root);
  return mlflowError(
    'WB_NOT_FOUND',
    `the files of ${owner} lie at ${wanted}, on the disk of the machine that logged them, and there is nothing on this one: ` +
      `pull there, or, where that disk is mounted or copied to this machine, say where: ` +
      `${PATH_MAP}=${tree}=/where/it/is/here (path_map of a connection)`,
    { operation: 'resolve', scope: 'source' },
  );
}
