/** Local sources as people write them: a path, or a file: URI. */
import { isAbsolute, normalize } from 'node:path';
import { hasScheme } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';

/**
 * The absolute path that a source names. A plain path is taken as it is, a `file:` URI is percent-decoded once. A relative
 * path is WB_USAGE: a worker's working folder is nobody's; a URI with a host, a query or a fragment too.
 */
export function rootPathOf(uri: string): string {
  const path = hasScheme(uri) ? pathOfUri(uri) : uri;
  if (path.includes('\0')) throw refusal(uri, 'it contains a NUL character');
  if (!isAbsolute(path)) throw refusal(uri, 'it must be an absolute path');
  const normal = normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/** The last part of the path; undefined for `/`. */
export function localNameOf(uri: string): string | undefined {
  let path: string;
  try {
    path = hasScheme(uri) ? pathOfUri(uri) : uri;
  } catch {
    return undefined;
  }
  const name = normalize(path)
    .split('/')
    .filter((segment) => segment !== '')
    .at(-1);
  return name === '.' || name === '..' ? undefined : name;
}

function pathOfUri(uri: string): string {
  const match = /^file:(?:\/\/([^/]*))?(\/[^?#]*)([?#].*)?$/is.exec(uri);
  if (!match) throw refusal(uri, 'write file:///absolute/path');
  const host = match[1]?.toLowerCase() ?? '';
  if (host !== '' && host !== 'localhost') {
    throw refusal(uri, `it names the host ${host}; mount the share and give its path`);
  }
  if (match[3] !== undefined) throw refusal(uri, 'write ? as %3F and # as %23');
  try {
    return decodeURIComponent(match[2] ?? '');
  } catch (cause) {
    throw refusal(uri, 'it is not correctly percent-encoded (write % as %25)', cause);
  }
}

function refusal(uri: string, why: string, cause?: unknown): WaybillError {
  return new WaybillError(
    'WB_USAGE',
    `the local source ${JSON.stringify(uri)} is refused: ${why}`,
    {
      operation: 'open',
      store: 'local',
      cause,
    },
  );
}
