// What scripts/test.sh does about a suite or two that fail in a whole run: they are run again, alone, and what was unsteady is named.
//   node scripts/second-try.mjs list FIRST           the suites to run again, a line each; exit 1 when there is none, or too many
//   node scripts/second-try.mjs tell FIRST SECOND    what both runs came to, as one count
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** More than these failing at once is no accident of timing. */
const MOST_SUITES = 3;

/** What a suite came to; one that could not be run at all counts as one failed test. */
export function countSuite({
  testFilePath,
  numPassingTests,
  numFailingTests,
  numPendingTests,
  numTodoTests,
  testExecError,
}) {
  const isBroken = testExecError !== undefined && testExecError !== null;
  return {
    path: testFilePath,
    passed: numPassingTests,
    failed: isBroken ? Math.max(1, numFailingTests) : numFailingTests,
    skipped: numPendingTests + numTodoTests,
  };
}

/** `N passed, N failed`, and how many were skipped where there are such. */
export function countLine(suites) {
  const sum = (name) => suites.reduce((total, suite) => total + suite[name], 0);
  const skipped = sum('skipped');
  return `${sum('passed')} passed, ${sum('failed')} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}

/** The suites of a run to run again: none when so many failed that it is no accident. */
export function suitesToTryAgain(first) {
  const failed = first.filter((suite) => suite.failed > 0).map((suite) => suite.path);
  return failed.length > MOST_SUITES ? [] : failed;
}

/** What to say after the second run: the suites that passed only then, and the count of both. */
export function tell(first, second) {
  const again = new Map(second.map((suite) => [suite.path, suite]));
  const unsteady = second.filter((suite) => suite.failed === 0).map((suite) => suite.path);
  const root = fileURLToPath(new URL('../dist/', import.meta.url));
  return [
    ...unsteady.map(
      (path) =>
        `UNSTEADY: ${relative(root, path)} failed beside others and passed alone: a bug to be found, see the first run above.`,
    ),
    countLine(first.map((suite) => again.get(suite.path) ?? suite)),
  ].join('\n');
}

const [, script, verb, ...files] = process.argv;
if (script === fileURLToPath(import.meta.url)) {
  const [first = [], second = []] = files.map((file) => JSON.parse(readFileSync(file, 'utf8')));
  if (verb === 'tell') {
    process.stderr.write(`${tell(first, second)}\n`);
  } else {
    const paths = suitesToTryAgain(first);
    process.stdout.write(paths.map((path) => `${path}\n`).join(''));
    process.exitCode = paths.length === 0 ? 1 : 0;
  }
}
