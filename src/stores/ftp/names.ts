/** Paths as an FTP server takes them: bytes on a line of their own. */
import { WaybillError } from '../../model/errors.js';
import { nameOfBytes } from '../lib/byte-names.js';

/**
 * A path for a command, in bytes as latin1. A name with a line break would be a command of its own, and one that is no UTF-8
 * cannot be asked for: WB_UNSAFE_PATH.
 */
export function wireOf(path: string, operation: string, shown: string): string {
  if (path.isWellFormed() && !/[\r\n\0]/.test(path)) {
    return Buffer.from(path, 'utf8').toString('latin1');
  }
  const why = path.isWellFormed()
    ? 'has a name with a line break, which FTP cannot ask for'
    : 'has a name that is not valid UTF-8';
  throw new WaybillError('WB_UNSAFE_PATH', `${JSON.stringify(shown)} ${why}`, {
    operation,
    store: 'ftp',
    path: shown,
  });
}

/** A name that came in bytes as latin1. */
export function nameOfWire(text: string): string {
  return nameOfBytes(Buffer.from(text, 'latin1'));
}

/** The path that the answer to PWD quotes; undefined: it has none. */
export function quotedPathOf(text: string): string | undefined {
  const found = /"((?:[^"]|"")*)"/.exec(text)?.[1];
  return found === undefined ? undefined : nameOfWire(found.replaceAll('""', '"'));
}

/** One path below another, `/` being the server's root. */
export function joinPath(folder: string, name: string): string {
  if (name === '') return folder;
  return folder.endsWith('/') ? folder + name : `${folder}/${name}`;
}

/** Where a link in a folder leads, as far as its text says so. */
export function resolveLink(folder: string, target: string): string {
  const steps: string[] = [];
  const all = target.startsWith('/') ? target : `${folder}/${target}`;
  for (const step of all.split('/')) {
    if (step === '..') steps.pop();
    else if (step !== '' && step !== '.') steps.push(step);
  }
  return `/${steps.join('/')}`;
}

/** Whether a path is a folder or below it. */
export function isBelow(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}
