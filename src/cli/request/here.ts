/** What stands for this host on a cluster: the site of a destination that its own command serves (`--here`). */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** A machine keeps it for good; where there is none the name of the host has to do. */
const MACHINE_ID = '/etc/machine-id';

function machineId(): string {
  try {
    return readFileSync(MACHINE_ID, 'utf8').trim();
  } catch {
    return '';
  }
}

/**
 * The site of a destination on this host: the same for the same command later, and for another destination or user
 * another one, so that each such command serves a queue of its own.
 * @param path the real path of the destination
 */
export function siteOfThisHost(path: string): string {
  const words = [hostname(), machineId(), String(process.getuid?.() ?? ''), path];
  return `here-${createHash('sha256').update(words.join('\n')).digest('hex').slice(0, 16)}`;
}
