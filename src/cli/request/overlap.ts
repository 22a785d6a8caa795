/** A pull of a local folder must not bring its own destination along, or write over what it reads. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WaybillError } from '../../model/errors.js';
import { isInside } from '../../model/is-inside.js';
import type { PullRequest } from '../../model/pull.js';
import { refuseHung } from '../hung-share.js';
import { realPathOf } from './destination.js';

function isFolder(path: string): boolean | undefined {
  try {
    return statSync(path).isDirectory();
  } catch {
    return undefined;
  }
}

/** The path that a local source names; nothing where it is none, which its store tells better. */
function pathOf(uri: string): string | undefined {
  if (uri.startsWith('/')) return uri;
  try {
    return fileURLToPath(uri);
  } catch {
    return undefined;
  }
}

function refusal(why: string): WaybillError {
  return new WaybillError('WB_USAGE', `${why}; give another: waybill pull SOURCE DESTINATION`, {
    advice: '',
  });
}

/**
 * Refuses a destination that is the source itself or lies inside of it. A source that is not there is another's to tell.
 * Throws WB_USAGE.
 * @param uri a local path or `file:` URI
 * @param localName the name of a single file in a destination that is a folder
 */
export function refuseOverlap(
  uri: string,
  localName: string | undefined,
  destination: PullRequest['destination'],
): void {
  const typed = pathOf(uri);
  if (typed !== undefined) refuseHung(typed, 'source');
  const isTree = typed === undefined ? undefined : isFolder(typed);
  if (typed === undefined || isTree === undefined) return;
  const source = realPathOf(typed);
  const isNamed = !isTree && destination.isFolder && localName !== undefined;
  const lands = isNamed ? join(destination.path, localName) : destination.path;
  if (lands === source) throw refusal(`the destination is the source itself, ${source}`);
  if (isTree && isInside(source, lands)) {
    throw refusal(`the destination ${lands} lies inside of the source ${source}`);
  }
}
