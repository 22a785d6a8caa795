/** What must hold at every kill, and at the end of every round. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeReceipt } from '../../src/manifest/index.js';
import type { Tree } from './sources.js';

/** All that a finished pull leaves beside its files. */
const RECORD = ['SHA256SUMS', 'destination.json', 'manifest.ndjson', 'receipt.json'];

/** Files under a final name that are not, byte for byte, what the source has. At a kill: must be none. */
export function wrongFinalFiles(destination: string, tree: Tree): string[] {
  return filesBelow(destination).filter((path) => {
    const digest = sha256Of(join(destination, path));
    // Between the look at the folder and the look at the file it may have been replaced; never does one vanish.
    return digest !== tree.digests.get(path);
  });
}

/** Everything that is wrong with a finished pull; empty when all is well. */
export function faultsOf(destination: string, tree: Tree): string[] {
  const faults: string[] = [];
  const found = filesBelow(destination);
  const wrong = wrongFinalFiles(destination, tree);
  if (wrong.length > 0) faults.push(`wrong or foreign: ${wrong.slice(0, 3).join(', ')}`);
  const missing = [...tree.digests.keys()].filter((path) => !found.includes(path));
  if (missing.length > 0) faults.push(`missing: ${missing.slice(0, 3).join(', ')}`);
  const left = readdirSync(join(destination, '.waybill')).filter((name) => !RECORD.includes(name));
  if (left.length > 0) faults.push(`left behind: ${left.join(', ')}`);
  try {
    const receiptPath = join(destination, '.waybill/receipt.json');
    const receipt = decodeReceipt(readFileSync(receiptPath, 'utf8'), receiptPath);
    const sums = readFileSync(join(destination, '.waybill/SHA256SUMS'));
    const { files } = receipt.counts;
    if (files !== tree.files.length) faults.push(`the receipt says ${files} files`);
    if (receipt.bytes !== tree.bytes) faults.push(`the receipt says ${receipt.bytes} bytes`);
    const digest = createHash('sha256').update(sums).digest('hex');
    if (receipt.treeDigest !== digest) faults.push('the receipt has another digest of SHA256SUMS');
    execFileSync('sha256sum', ['--strict', '--quiet', '-c', '.waybill/SHA256SUMS'], {
      cwd: destination,
      stdio: 'pipe',
    });
  } catch (error) {
    faults.push(`the record: ${error instanceof Error ? error.message : String(error)}`);
  }
  return faults;
}

/** Paths of files below a folder, the root's record apart; none if there is no folder. */
export function filesBelow(root: string): string[] {
  const found: string[] = [];
  const walk = (prefix: string): void => {
    for (const entry of entriesOf(join(root, prefix))) {
      const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
      if (path === '.waybill') continue;
      if (entry.isDirectory()) walk(path);
      else found.push(path);
    }
  };
  walk('');
  return found;
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function sha256Of(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
