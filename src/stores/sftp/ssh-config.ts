/** `~/.ssh/config` and `/etc/ssh/ssh_config`, as far as they say where a host is and who one is there. */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { errnoOf } from '../../model/errno.js';
import { connectError } from './errors.js';
import { matchesHost } from './host-patterns.js';

/** What the files say of one host. The first word counts; key files add up. */
export interface HostConfig {
  readonly words: ReadonlyMap<string, string>;
  readonly keyFiles: readonly string[];
}

/** Files within files; deeper is a circle. */
const MAX_INCLUDES = 16;

/** More than any configuration that a person keeps. */
const MAX_FILES = 256;

interface Reading {
  readonly host: string;
  readonly home: string;
  readonly words: Map<string, string>;
  readonly keyFiles: string[];
  files: number;
}

/**
 * Reads what files say of a host, in their order; a file that is not there says nothing.
 * @param host as it was typed
 */
export async function readHostConfig(
  files: readonly string[],
  host: string,
  home: string,
): Promise<HostConfig> {
  const reading: Reading = { host, home, words: new Map(), keyFiles: [], files: 0 };
  for (const file of files) await readInto(reading, file, 0);
  return reading;
}

async function readInto(reading: Reading, file: string, depth: number): Promise<void> {
  reading.files += 1;
  if (depth > MAX_INCLUDES || reading.files > MAX_FILES) {
    throw connectError('WB_CONFIG_INVALID', `${file} includes too many files`);
  }
  let isMeant = true;
  for (const line of (await textOf(file)).split(/\r?\n/)) {
    const [key, value] = wordsOf(line);
    if (key === undefined) continue;
    if (key === 'host') isMeant = matchesHost(split(value), reading.host);
    // Other conditions of Match run programs or ask who one is: such a block is passed over.
    else if (key === 'match') isMeant = /^all$/i.test(value);
    else if (!isMeant) continue;
    else if (key === 'include') await include(reading, split(value), file, depth);
    else if (key === 'identityfile') reading.keyFiles.push(unquoted(value));
    else if (!reading.words.has(key)) reading.words.set(key, unquoted(value));
  }
}

async function include(
  reading: Reading,
  patterns: readonly string[],
  file: string,
  depth: number,
): Promise<void> {
  for (const pattern of patterns) {
    const plain = pattern.replace(/^~(?=\/)/, reading.home);
    const path = isAbsolute(plain) ? plain : join(dirname(file), plain);
    for (const one of await filesOf(path)) await readInto(reading, one, depth + 1);
  }
}

/** The files of a path whose last part may be a pattern. */
async function filesOf(path: string): Promise<readonly string[]> {
  const folder = dirname(path);
  const last = path.slice(folder.length).replace(/^\//, '');
  if (!/[*?]/.test(last)) return [path];
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => matchesHost([last], name))
    .sort()
    .map((name) => join(folder, name));
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const code = errnoOf(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR') return '';
    throw connectError('WB_CONFIG_INVALID', `${file} cannot be read (${String(code)})`, { cause });
  }
}

/** `Key value` or `Key=value`; nothing for an empty line and a comment. */
function wordsOf(line: string): [key: string | undefined, value: string] {
  const match = /^\s*([A-Za-z]\w*)(?:\s*=\s*|\s+)(.*?)\s*$/.exec(line);
  return match ? [match[1]?.toLowerCase(), match[2] ?? ''] : [undefined, ''];
}

function split(value: string): string[] {
  return (value.match(/"[^"]*"|\S+/g) ?? []).map(unquoted);
}

function unquoted(value: string): string {
  return value.replace(/^"(.*)"$/, '$1');
}
