/**
 * Follows the documentation literally: `npm run docs -- [page ...]`. It starts the world of the pages, runs their code
 * blocks and prints one JSON object a block. It names hosts, so it starts itself again in a mount namespace of its own.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pagesOfUsers } from './pages.js';
import { readPage } from './read-page.js';
import { makeWorld } from './world.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const INSIDE = '--inside';

async function inside(pages: readonly string[]): Promise<boolean> {
  const dir = mkdtempSync(join(tmpdir(), 'waybill-docs-'));
  const world = await makeWorld(dir);
  let isGood = true;
  try {
    for (const page of pages) {
      for (const outcome of await readPage(root, page, world)) {
        if (outcome.outcome === 'failed' || outcome.outcome === 'not reached') isGood = false;
        process.stdout.write(`${JSON.stringify(outcome)}\n`);
      }
    }
  } finally {
    await world.stop();
    rmSync(dir, { recursive: true, force: true });
  }
  return isGood;
}

const words = process.argv.slice(2);
if (words[0] === INSIDE) {
  process.exitCode = (await inside(words.slice(1))) ? 0 : 1;
} else {
  const pages = words.length === 0 ? pagesOfUsers() : words;
  // Without root, a user namespace gives the right to mount.
  const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const self = fileURLToPath(import.meta.url);
  const { status, error } = spawnSync(
    'unshare',
    [...asRoot, '--mount', '--propagation', 'private', process.execPath, self, INSIDE, ...pages],
    { stdio: 'inherit' },
  );
  if (error) throw error;
  process.exitCode = status ?? 1;
}
