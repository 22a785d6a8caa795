/** The configuration of Hadoop that people of a cluster have on their machine. */
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { errnoOf } from '../../model/errno.js';
import type { ConnectionSettings } from '../store.js';
import { expanded, parseSiteXml } from './site-xml.js';
import { invalid } from './invalid.js';

/** Values of `core-site.xml` and `hdfs-site.xml`, the latter first. */
export interface Site {
  /** Expanded, and without blanks around it; undefined: not set, or empty. */
  get(name: string): string | undefined;
  /** All names. */
  names(): Iterable<string>;
  /** Where they come from, for messages: `/etc/hadoop/conf (HADOOP_CONF_DIR)`; undefined: there is none. */
  readonly source: string | undefined;
}

/** A site of nothing but these values. */
export function siteOf(values: ReadonlyMap<string, string>, source?: string): Site {
  const known = new Map([['user.name', userName() ?? '']]);
  return {
    source,
    names: () => values.keys(),
    get: (name) => {
      const text = values.get(name);
      const value = text === undefined ? '' : expanded(text, values, known).trim();
      return value === '' ? undefined : value;
    },
  };
}

/** The user of this process; undefined where it has no name, as in some containers. */
export function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

const FILES = ['core-site.xml', 'hdfs-site.xml'];

/** Where distributions of Hadoop put it. */
const USUAL_FOLDER = '/etc/hadoop/conf';

const MAX_INCLUDES = 5;

/**
 * Reads the folder that HADOOP_CONF_DIR names, else that of HADOOP_HOME, else the usual one. A folder that is named and has no
 * configuration, or one that makes no sense, is WB_CONFIG_INVALID.
 */
export async function readSite(settings: ConnectionSettings): Promise<Site> {
  const named = settings['HADOOP_CONF_DIR']?.trim() ?? '';
  const home = settings['HADOOP_HOME']?.trim() ?? '';
  const places =
    named === ''
      ? [
          ...(home === '' ? [] : [{ folder: join(home, 'etc', 'hadoop'), why: ' (HADOOP_HOME)' }]),
          { folder: USUAL_FOLDER, why: '' },
        ]
      : [{ folder: named, why: ' (HADOOP_CONF_DIR)' }];
  for (const { folder, why } of places) {
    const values = new Map<string, string>();
    let found = 0;
    for (const name of FILES) {
      if (await readInto(values, join(folder, name), why, 0)) found += 1;
    }
    if (found > 0) return siteOf(values, `${folder}${why}`);
    if (named !== '') {
      throw invalid(
        `${folder}${why} has neither core-site.xml nor hdfs-site.xml: name the folder of your cluster's configuration`,
      );
    }
  }
  return siteOf(new Map());
}

/** False: there is no such file. */
async function readInto(
  values: Map<string, string>,
  path: string,
  why: string,
  depth: number,
): Promise<boolean> {
  let xml: string;
  try {
    xml = await readFile(path, 'utf8');
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw invalid(`${path}${why} cannot be read (${String(code)})`, cause);
  }
  const file = parseSiteXml(xml);
  if (file === undefined) throw invalid(`${path}${why} is no configuration of Hadoop`);
  for (const href of file.includes) {
    const included = href.replace(/^file:(\/\/)?(?=\/)/, '');
    // Hadoop takes addresses of servers, too; nothing is asked for here.
    if (depth >= MAX_INCLUDES || /^[a-z]+:\/\//i.test(included)) continue;
    const target = isAbsolute(included) ? included : join(dirname(path), included);
    await readInto(values, target, why, depth + 1);
  }
  for (const [name, value] of file.values) values.set(name, value);
  return true;
}
