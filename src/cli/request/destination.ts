/** Where a pull lands: the DESTINATION of the command line, or the source's own name. */
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, normalize, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errnoOf } from '../../model/errno.js';
import { WaybillError } from '../../model/errors.js';
import { refuseHung } from '../hung-share.js';
import { guardPath } from '../../model/object-path.js';
import type { PullRequest } from '../../model/pull.js';

/** Schemes that Waybill may write to one day; a folder called `s3:` is never what was meant. */
const REMOTE =
  /^(s3|s3a|s3n|r2|gs|gcs|az|abfss?|wasbs?|https?|ftps?|sftp|hdfs|webhdfs|viewfs|dbfs|runs|models|mlflow-artifacts|store|hf|oci):/i;

function isMissing(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

/**
 * The absolute path with symbolic links resolved as far as it exists. A link to nowhere is WB_CONFLICT, a share that does not
 * answer WB_DESTINATION_FAILED.
 */
export function realPathOf(path: string): string {
  refuseHung(path, 'destination');
  const missing: string[] = [];
  for (let current = resolve(path); ; current = dirname(current)) {
    try {
      return join(realpathSync(current), ...missing);
    } catch (error) {
      if (!isMissing(error)) {
        const code = errnoOf(error) ?? '';
        const kind = code === 'EACCES' || code === 'EPERM' ? 'WB_PERMISSION_DENIED' : 'WB_CONFLICT';
        throw new WaybillError(kind, `${current} cannot be looked at (${code})`, {
          scope: 'destination',
        });
      }
      if (isLink(current)) {
        throw new WaybillError('WB_CONFLICT', `${current} is a symbolic link to nowhere`);
      }
      missing.unshift(basename(current));
    }
  }
}

function isFolderAt(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function derived(localName: string | undefined, sourceUri: string): string {
  try {
    if (localName !== undefined && !localName.includes('/')) return guardPath(localName);
  } catch {
    // Said below: what cannot be a file's name is as good as none.
  }
  throw new WaybillError(
    'WB_USAGE',
    `no name for the destination can be derived from ${sourceUri}; give one: waybill pull SOURCE DESTINATION`,
  );
}

const SITE = /^([a-zA-Z0-9][\w.-]*):(\/.*)$/;

/** Whether a destination can name a site so; `any` is what workers without a site serve. */
export function isSiteName(name: string): boolean {
  return name !== 'any' && SITE.exec(`${name}:/`)?.[1] === name;
}

/** Where a pull on a cluster lands. */
export interface SiteDestination {
  /** Absent: a place that every worker sees. */
  readonly site?: string;
  readonly destination: PullRequest['destination'];
}

/**
 * A destination on a cluster is written `<site>:/absolute/path`, `any:/absolute/path` for a place that every worker
 * sees; it is another host's, so nothing is looked up here. Anything else is WB_USAGE.
 */
export function resolveSiteDestination(text: string | undefined, why: string): SiteDestination {
  const [, site = '', path = ''] = SITE.exec(text ?? '') ?? [];
  if (path === '' || path.startsWith('//')) {
    throw new WaybillError(
      'WB_USAGE',
      `${why} chooses a Temporal cluster, and there a destination is SITE:/absolute/path ` +
        '(any:/absolute/path where every worker sees it); for a folder of this host add --here: the cluster keeps the ' +
        'pull, and this command fetches; or --local: no cluster at all',
    );
  }
  const destination = {
    path: normalize(path).replace(/(.)\/+$/, '$1'),
    isFolder: path.endsWith('/'),
  };
  return { destination, ...(site === 'any' ? {} : { site }) };
}

/** With `--here` the destination is a path of this host; one that names a site is WB_USAGE. */
export function refuseSite(text: string | undefined): void {
  const [, site, path] = SITE.exec(text ?? '') ?? [];
  if (site === undefined || REMOTE.test(text ?? '')) return;
  throw new WaybillError(
    'WB_USAGE',
    `${text} names the site ${site}, and --here means this host: give ${path}, or leave --here away`,
  );
}

/**
 * Resolves the destination. An empty text, a remote scheme, and no text with no derivable name are WB_USAGE or
 * WB_UNSUPPORTED.
 * @param text what was typed, if anything
 * @param localName the name that the source's store derives from it
 */
export function resolveDestination(
  text: string | undefined,
  localName: string | undefined,
  sourceUri: string,
  cwd: string,
): PullRequest['destination'] {
  if (text === '') {
    throw new WaybillError('WB_USAGE', 'the destination is empty; is a variable not set?');
  }
  if (text !== undefined && REMOTE.test(text)) {
    const scheme = text.slice(0, text.indexOf(':') + 1);
    throw new WaybillError(
      'WB_UNSUPPORTED',
      `writing to ${scheme} is not yet possible; give a local folder`,
      { advice: '' },
    );
  }
  const typed = text?.startsWith('file://') ? fileURLToPath(text) : text;
  const chosen = typed ?? derived(localName, sourceUri);
  const path = realPathOf(resolve(cwd, chosen));
  const isFolder = /(^|\/)\.{0,2}$/.test(chosen) || isFolderAt(path);
  return { path, isFolder };
}
