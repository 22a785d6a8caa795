/** Every page of the documentation, followed literally from an empty HOME (`npm run docs` does the same by hand). */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { pagesOfUsers } from './pages.js';
import type { BlockOutcome } from './read-page.js';

const MAIN = fileURLToPath(new URL('main.js', import.meta.url));

/** Blocks that are not run here, and what runs them. */
const BY_HAND: Readonly<Record<string, string>> = {
  'README.md': 'the two commands: this very run, and test/e2e/demo.test.ts',
  'CONTRIBUTING.md': 'npm test is this very run',
  'docs/install.md':
    'npm pack and npm install are test/e2e/places/installed.test.ts; the image needs a Docker',
  'docs/operations.md': 'a worker of a cluster: test/e2e/operators.test.ts',
  'docs/getting-started.md': 'a clone of the repository: the two commands again',
  'src/stores/azure-blob/README.md':
    'Azurite with its well-known account: test/stores/azure-blob/access.test.ts',
};

describe('the documentation, followed literally', () => {
  let outcomes: readonly BlockOutcome[] = [];
  let kill: () => void = () => undefined;

  beforeAll(async () => {
    const child = spawn(process.execPath, [MAIN], { stdio: ['ignore', 'pipe', 'inherit'] });
    kill = () => void child.kill('SIGTERM');
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => resolve());
    });
    const lines = text.split('\n').filter((line) => line.startsWith('{'));
    outcomes = lines.map((line) => JSON.parse(line) as BlockOutcome);
  }, 900_000);

  afterAll(() => kill());

  it.each(pagesOfUsers())('%s: every block does what the page says', (page) => {
    const bad = outcomes.filter(
      (one) => one.page === page && ['failed', 'not reached'].includes(one.outcome),
    );
    expect(bad).toEqual([]);
  });

  it('runs blocks of most pages, and only those by hand that something else runs', () => {
    expect(outcomes.filter(({ outcome }) => outcome === 'ran').length).toBeGreaterThan(8);
    const byHand = new Set(
      outcomes.filter(({ outcome }) => outcome === 'by hand').map(({ page }) => page),
    );
    expect([...byHand].sort()).toEqual(Object.keys(BY_HAND).sort());
  });
});
