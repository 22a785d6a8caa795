// The order of the suites for Jest: those that take longest first, so that none of them runs alone at the end.
// A clean clone has no times of its own; test/seconds.json says what the long ones take on a quiet machine of two cores.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
// It comes with Jest, and is what Jest's own pages tell to extend.
import Sequencer from '@jest/test-sequencer';

const compiled = fileURLToPath(new URL('../dist/test', import.meta.url));
const seconds = JSON.parse(readFileSync(new URL('../test/seconds.json', import.meta.url), 'utf8'));

/** Milliseconds that a suite is said to take; those that are not named take a few seconds at most. */
function expectedMs({ path }) {
  return (seconds[relative(compiled, path).replace(/\.test\.js$/u, '')] ?? 1) * 1_000;
}

export default class LongestFirst extends Sequencer {
  sort(tests) {
    // What failed in the last run here is looked at first.
    const rank = (test) => (this.hasFailed(test) ? 1 : 0);
    return [...tests].sort(
      (a, b) => rank(b) - rank(a) || expectedMs(b) - expectedMs(a) || (a.path < b.path ? -1 : 1),
    );
  }
}
