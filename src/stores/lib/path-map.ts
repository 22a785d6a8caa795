/** `WAYBILL_PATH_MAP=OLD=NEW,...`: artifact roots that this machine has under another path. */
import { isAbsolute, join } from 'node:path';
import { WaybillError } from '../../model/errors.js';
import type { ConnectionSettings } from '../store.js';
import { allowedPath, diskPath } from './local-roots.js';

/** The setting; `path_map` in a connection. */
export const PATH_MAP = 'WAYBILL_PATH_MAP';

/** One entry: what the registry says, and where it is here. */
export interface Mapping {
  /** A path or the beginning of a URI, without a slash at its end. */
  readonly from: string;
  readonly to: string;
}

/** Reads the setting. What is no pair, or leads to no absolute path, is WB_CONFIG_INVALID. */
export function readPathMap(settings: ConnectionSettings, store = 'mlflow'): Mapping[] {
  const entries = (settings[PATH_MAP] ?? '').split(',').map((entry) => entry.trim());
  return entries
    .filter((entry) => entry !== '')
    .map((entry) => {
      const at = entry.indexOf('=');
      const from = entry.slice(0, Math.max(0, at)).replace(/\/+$/, '');
      const to = entry.slice(at + 1);
      if (at > 0 && isAbsolute(to)) return { from, to };
      throw new WaybillError(
        'WB_CONFIG_INVALID',
        `${PATH_MAP}: "${entry}" is no mapping; write OLD=NEW, as in /home/alice/mlruns=/mnt/alice/mlruns`,
        { operation: 'resolve', store },
      );
    });
}

/** Where the map says that a path below an artifact root is, with the entry that says so. */
export function mapPath(
  entries: readonly Mapping[],
  artifactUri: string,
  path: string,
): { readonly path: string; readonly entry: Mapping } | undefined {
  const spellings = [artifactUri, diskPath(artifactUri)].map((one) => one.replace(/\/+$/, ''));
  // The longest that fits, whatever the order.
  const sorted = [...entries].sort((a, b) => b.from.length - a.from.length);
  for (const entry of sorted) {
    const froms = [entry.from, diskPath(entry.from)];
    for (const spelling of spellings) {
      const from = froms.find((one) => spelling === one || spelling.startsWith(`${one}/`));
      if (from === undefined) continue;
      return { path: join(entry.to, spelling.slice(from.length), path), entry };
    }
  }
  return undefined;
}

/**
 * The same, by its real path. What leaves the mapped folder through `..` or a link is refused (rule 4); what is not there is
 * a mount that is missing, and said as that.
 */
export async function findMapped(
  settings: ConnectionSettings,
  artifactUri: string,
  path: string,
  store = 'mlflow',
): Promise<{ readonly path: string; readonly why: string } | undefined> {
  const mapped = mapPath(readPathMap(settings, store), artifactUri, path);
  if (mapped === undefined) return undefined;
  const { from, to } = mapped.entry;
  const real = await allowedPath([to], mapped.path);
  if (real !== undefined) return { path: real, why: `path_map: ${from} is ${to} here` };
  throw new WaybillError(
    'WB_NOT_FOUND',
    `the files lie at ${artifactUri}, which ${PATH_MAP} (path_map) maps to ${mapped.path}, and nothing inside ${to} is ` +
      'there: is it mounted, and does the map say where?',
    { operation: 'resolve', scope: 'source', store },
  );
}

/** Whether the map has this path of an artifact root. Undefined: the root is not there; `unmapped`: the map says nothing of it. */
export async function hasMapped(
  settings: ConnectionSettings,
  artifactUri: string,
  path: string,
): Promise<boolean | undefined | 'unmapped'> {
  const root = mapPath(readPathMap(settings), artifactUri, '');
  if (root === undefined) return 'unmapped';
  const { to } = root.entry;
  if ((await allowedPath([to], root.path)) === undefined) return undefined;
  return (await allowedPath([to], join(root.path, path))) !== undefined;
}
