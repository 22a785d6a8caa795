/** What an http or https source names: a file, the index of a folder, or a list of files. */
import { redactUri } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';
import { percentDecodeOnce, percentEncodePath } from '../lib/byte-names.js';
import type { StoreAddress } from '../store.js';

/** A source, understood from its address alone. */
export interface HttpAddress {
  /**
   * `file`: one file. `index`: the address ends in a slash. `list`: its last part is `SHA256SUMS` (or sha256sum.txt,
   * `x.sha256sums`) or `manifest.ndjson`, and there is no query.
   */
  readonly kind: 'file' | 'index' | 'list';
  /** The address itself, with its whole query and without userinfo and fragment. */
  readonly url: URL;
  /** The folder that relative paths start from, with a slash at its end. */
  readonly folder: URL;
}

const LIST_NAME = /^(sha256sums?(\.txt)?|.+\.sha256sums|manifest\.ndjson)$/i;

/** Understands an address. The query with secrets, split off before, is put back. WB_USAGE if it is no address. */
export function parseAddress({ uri, secrets }: StoreAddress): HttpAddress {
  const url = URL.canParse(uri) ? new URL(uri) : undefined;
  // `URL` would take the first folder of https:///folder for a host.
  if (url === undefined || !/^https?:\/\/[^/\\?#]/i.test(uri)) {
    const message = `${redactUri(uri)} is not an http or https address`;
    throw new WaybillError('WB_USAGE', message, { operation: 'open', store: 'http' });
  }
  url.username = '';
  url.password = '';
  url.hash = '';
  if (secrets['query'] !== undefined) url.search = secrets['query'];
  const kind = kindOf(uri, url);
  const folder = new URL(url);
  folder.pathname = url.pathname.replace(/[^/]*$/, '');
  // A sealed tree keeps its lists in .waybill/, and they name the files beside that folder.
  if (kind === 'list') folder.pathname = folder.pathname.replace(/\/\.waybill\/$/, '/');
  return { kind, url, folder };
}

function kindOf(uri: string, url: URL): HttpAddress['kind'] {
  if (url.pathname.endsWith('/')) return 'index';
  const isPlain = !/[?#]/.test(uri) && url.search === '';
  return isPlain && LIST_NAME.test(url.pathname.split('/').at(-1) ?? '') ? 'list' : 'file';
}

/** The address of a path below a folder, the folder's query included. A path that could leave it is WB_UNSAFE_PATH. */
export function urlBelow(folder: URL, path: string, operation: string): URL {
  const isUnsafe =
    !path.isWellFormed() ||
    path.split('/').some((segment) => segment === '' || segment === '.' || segment === '..');
  if (isUnsafe) {
    const message = `the name ${JSON.stringify(path.slice(0, 200))} cannot be asked for over HTTP`;
    throw new WaybillError('WB_UNSAFE_PATH', message, { operation, store: 'http', path });
  }
  const url = new URL(folder);
  url.pathname = folder.pathname + percentEncodePath(path);
  return url;
}

/** The name of what an address brings, for the destination; undefined where it has none. */
export function httpLocalName(uri: string): string | undefined {
  if (!URL.canParse(uri)) return undefined;
  const { kind, url, folder } = parseAddress({ uri, settings: {}, secrets: {} });
  const { pathname } = kind === 'list' ? folder : url;
  const segment = pathname.split('/').findLast((part) => part !== '');
  const name = segment === undefined ? undefined : percentDecodeOnce(segment);
  if (name === undefined || name === '.' || name === '..') return undefined;
  return /[/\\\0]/.test(name) || !name.isWellFormed() ? undefined : name;
}
