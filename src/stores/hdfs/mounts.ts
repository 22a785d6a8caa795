/** Which file system has a path: the only one there is, or as the mount table of a viewfs says. */
import { WaybillError } from '../../model/errors.js';
import { joinPath, parseHdfsUri } from './address.js';
import { findNameService, type NameService } from './name-service.js';
import type { Site } from './site.js';

/** A folder of a file system that appears at a path. */
export interface Mount {
  /** Where it appears: `/`, `/data`. */
  readonly at: string;
  /** Absent: it leads to where Waybill cannot follow it from here. */
  readonly service?: NameService;
  /** The path at that file system; of one that is not read the address. */
  readonly target: string;
}

/** Where a path lies. */
export type Located =
  | { readonly kind: 'there'; readonly service: NameService; readonly path: string }
  /** A folder of the mount table itself, with the names in it. */
  | { readonly kind: 'table'; readonly names: readonly string[]; readonly beside?: Located }
  | { readonly kind: 'elsewhere'; readonly mount: Mount }
  | { readonly kind: 'nowhere' };

/** Finds paths. */
export class Mounts {
  /** @param all in any order; of two that cover a path the longer one counts */
  constructor(
    private readonly all: readonly Mount[],
    private readonly fallback?: Mount,
  ) {}

  /** @param path absolute, without a slash at its end */
  locate(path: string): Located {
    const covering = this.all
      .filter(({ at }) => isBelow(path, at))
      .sort((a, b) => b.at.length - a.at.length)[0];
    if (covering !== undefined) return leadTo(covering, path);
    const names = this.namesIn(path);
    const { fallback } = this;
    if (names.length > 0) {
      return {
        kind: 'table',
        names,
        ...(fallback === undefined ? {} : { beside: leadTo(fallback, path) }),
      };
    }
    return fallback === undefined ? { kind: 'nowhere' } : leadTo(fallback, path);
  }

  /** File systems that are read here, each once. */
  services(): NameService[] {
    const mounts = this.fallback === undefined ? this.all : [...this.all, this.fallback];
    return [...new Set(mounts.flatMap(({ service }) => (service === undefined ? [] : [service])))];
  }

  private namesIn(path: string): string[] {
    const prefix = path === '/' ? '/' : `${path}/`;
    const below = this.all.filter(({ at }) => at.startsWith(prefix));
    return [...new Set(below.map(({ at }) => at.slice(prefix.length).split('/')[0] ?? ''))];
  }
}

function isBelow(path: string, folder: string): boolean {
  return folder === '/' || path === folder || path.startsWith(`${folder}/`);
}

function leadTo(mount: Mount, path: string): Located {
  const { at, service, target } = mount;
  if (service === undefined) return { kind: 'elsewhere', mount };
  const below = at === '/' ? path.slice(1) : path.slice(at.length + 1);
  return { kind: 'there', service, path: joinPath(target, below) };
}

const LINK = /^(link|linkFallback|linkMergeSlash|linkMerge|linkNfly|linkRegex)(?:\.(.*))?$/;

/** The mount table of a viewfs. One that is not there, or of a kind that is not read, is WB_CONFIG_INVALID or WB_UNSUPPORTED. */
export function readMountTable(table: string, site: Site): Mounts {
  const prefix = `fs.viewfs.mounttable.${table}.`;
  const services = new Map<string, NameService>();
  const mounts: Mount[] = [];
  let fallback: Mount | undefined;
  for (const name of site.names()) {
    const [, kind, at = '/'] =
      LINK.exec(name.startsWith(prefix) ? name.slice(prefix.length) : '') ?? [];
    const target = site.get(name);
    if (kind === undefined || target === undefined) continue;
    const mount = mountOf(kind === 'link' ? at : '/', target, site, services);
    if (kind === 'linkFallback') fallback = mount;
    else if (kind === 'link' || kind === 'linkMergeSlash') mounts.push(mount);
    else
      throw unsupported(`${name} is a kind of link that is not read: name the file system itself`);
  }
  if (mounts.length > 0 || fallback !== undefined) return new Mounts(mounts, fallback);
  const where = site.source ?? 'no configuration of Hadoop, which HADOOP_CONF_DIR names';
  throw new WaybillError(
    'WB_CONFIG_INVALID',
    `the mount table of viewfs://${table} is not known: there is no ${prefix}link.* in ${where}`,
    { operation: 'open', store: 'hdfs' },
  );
}

function mountOf(
  at: string,
  target: string,
  site: Site,
  services: Map<string, NameService>,
): Mount {
  if (!/^(hdfs|webhdfs|swebhdfs):/i.test(target)) return { at, target };
  const address = parseHdfsUri(target);
  const key = `${address.scheme}://${address.authority}`;
  const service = services.get(key) ?? findNameService(address, site);
  services.set(key, service);
  return { at, service, target: address.path };
}

function unsupported(message: string): WaybillError {
  return new WaybillError('WB_UNSUPPORTED', message, { operation: 'open', store: 'hdfs' });
}
