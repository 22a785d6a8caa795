/** Which Waybill this is. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { bundleId } from '../config/bundle.js';

const SOURCES = fileURLToPath(new URL('../', import.meta.url));
const BUNDLE = fileURLToPath(new URL('../../workflow-bundle.js', import.meta.url));

/** This Waybill's own version, from its package. */
export function readWaybillVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const parsed: unknown = JSON.parse(text);
  return z.object({ version: z.string() }).parse(parsed).version;
}

/**
 * The build: a digest of the version and of the sizes and times of the files of the code. Two builds of one version (a
 * checkout before and after a change, a patched package) are two, and their services are not mistaken for each
 * other; the same code installed again counts as another build too, which costs a restart of an idle service. Code that runs from
 * few files (config/bundle.ts) has the name that these were given.
 */
export function readBuild(): string {
  const bundle = bundleId();
  if (bundle !== undefined) return bundle;
  const hash = createHash('sha256').update(readWaybillVersion());
  for (const path of [...scriptsBelow(SOURCES).sort(), BUNDLE]) {
    const found = statSync(path, { throwIfNoEntry: false });
    hash.update(`\n${path.slice(SOURCES.length)} ${found?.size} ${found?.mtimeMs}`);
  }
  return hash.digest('hex').slice(0, 16);
}

/** By hand: `readdirSync` with `recursive` takes ten times as long. */
function scriptsBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return scriptsBelow(path);
    return entry.name.endsWith('.js') ? [path] : [];
  });
}
