/** `~/.netrc`: users and passwords by host, as ftp, curl and wget read it. */
import { readFileSync } from 'node:fs';
import { errnoOf } from '../../model/errno.js';
import { WaybillError } from '../../model/errors.js';

/** One `machine`, or the `default`. */
interface NetrcEntry {
  readonly machine?: string;
  login?: string;
  password?: string;
}

/** A user with a password. */
export interface NetrcLogin {
  readonly login: string;
  readonly password: string;
}

/**
 * The entry of a host in the file; of one user where that is known already. No file, or none in it: undefined. One that cannot be
 * read is WB_CONFIG_INVALID. For the command line of whoever owns the file.
 */
export function findInNetrc(place: string, host: string, user?: string): NetrcLogin | undefined {
  let text: string;
  try {
    text = readFileSync(place, 'utf8');
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(String(errnoOf(cause)))) return undefined;
    throw new WaybillError('WB_CONFIG_INVALID', `${place} cannot be read: make it readable`, {
      operation: 'open',
      store: 'ftp',
      cause,
    });
  }
  const entries = parseNetrc(text);
  const isWanted = ({ login }: NetrcEntry): boolean => user === undefined || login === user;
  const found =
    entries.find((one) => one.machine?.toLowerCase() === host.toLowerCase() && isWanted(one)) ??
    entries.find((one) => one.machine === undefined && isWanted(one));
  const { login, password } = found ?? {};
  return login === undefined || password === undefined ? undefined : { login, password };
}

function parseNetrc(text: string): NetrcEntry[] {
  const entries: NetrcEntry[] = [];
  // A macro's lines hold commands, up to an empty one; a comment is a word of its own that starts with #.
  const plain = text
    .replace(/^[ \t]*macdef\b[\s\S]*?(\n[ \t]*\n|(?![\s\S]))/gm, '\n')
    .replace(/^\s*#.*$/gm, '');
  const words = [...plain.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, bare = '']) =>
    quoted === undefined ? bare : quoted.replace(/\\(.)/g, '$1'),
  );
  for (let at = 0; at < words.length; at += 1) {
    const last = entries.at(-1);
    if (words[at] === 'default') entries.push({});
    else if (words[at] === 'machine') entries.push({ machine: words[(at += 1)] ?? '' });
    else if (words[at] === 'login' && last) last.login = words[(at += 1)] ?? '';
    else if (words[at] === 'password' && last) last.password = words[(at += 1)] ?? '';
    else if (words[at] === 'account') at += 1;
  }
  return entries;
}
