/** Addresses of Hadoop's file systems, taken apart. Nothing is decoded: `%`, `?` and `#` are characters of a name. */
import { WaybillError } from '../../model/errors.js';

/** `scheme://authority/path`. */
export interface HdfsAddress {
  readonly scheme: 'hdfs' | 'webhdfs' | 'swebhdfs' | 'viewfs';
  /** `host`, `host:port`, or the name of a name service or a mount table; '': the default one. */
  readonly authority: string;
  /** Absolute, without a slash at its end but for the root `/`. */
  readonly path: string;
  /** It ended in a slash: it is a folder. */
  readonly isFolder: boolean;
}

const URI = /^(hdfs|webhdfs|swebhdfs|viewfs):(?:\/\/([^/]*))?(\/[\s\S]*)?$/i;

const AUTHORITY = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/;

/** Takes an address apart. One that is none is WB_USAGE. */
export function parseHdfsUri(uri: string): HdfsAddress {
  const match = URI.exec(uri);
  const authority = (match?.[2] ?? '').replace(/^.*@/, '');
  if (!match || (authority !== '' && !AUTHORITY.test(authority))) {
    throw usage(
      `not an address of a Hadoop file system: write hdfs://host:port/path, or hdfs:///path for the one of HADOOP_CONF_DIR, not ${uri.replace(/\/\/[^/]*@/, '//***@')}`,
    );
  }
  const scheme = (match[1] ?? '').toLowerCase() as HdfsAddress['scheme'];
  const typed = match[3] ?? '/';
  const segments = typed.split('/').filter((segment) => segment !== '');
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    throw usage(`${uri} has a segment "." or "..", which no path of Hadoop has: leave it out`);
  }
  return {
    scheme,
    authority,
    path: `/${segments.join('/')}`,
    isFolder: typed.endsWith('/'),
  };
}

/** The last part that can name a local folder or file; undefined: none. */
export function localNameOfHdfs(uri: string): string | undefined {
  const { path, authority } = parseHdfsUri(uri);
  const name = path.split('/').at(-1) ?? '';
  if (name !== '') return name;
  const host = authority.replace(/:\d+$/, '');
  return host === '' ? undefined : host;
}

/** A path below another. */
export function joinPath(folder: string, below: string): string {
  if (below === '') return folder;
  return folder === '/' ? `/${below}` : `${folder}/${below}`;
}

function usage(message: string): WaybillError {
  return new WaybillError('WB_USAGE', message, { operation: 'open', store: 'hdfs' });
}
