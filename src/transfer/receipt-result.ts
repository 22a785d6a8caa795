/** What a receipt says, as the result of its pull. Pure: the command line reads records with it too. */
import type { Receipt } from '../manifest/index.js';
import { errorRow, exitCodeOf } from '../model/errors.js';
import { cutText } from '../model/caps.js';
import type { Failure, PullResult } from '../model/pull.js';
import { describeSpecials } from '../model/special.js';

/** Failures that a result carries; the journal has all of them (rule 29). */
const SHOWN_FAILURES = 10;
const SHOWN_CHARACTERS = 200;

/** What a receipt says, as the result of its pull. */
export function resultOf(receipt: Receipt): PullResult {
  const all = receipt.failures ?? [];
  const filesFailed = receipt.counts.filesFailed ?? 0;
  // A tree that is not the expected one is an integrity failure, although its files are in place.
  const isOtherTree = all.some((failure) => failure.path === '');
  const filesFetched = receipt.counts.filesFetched ?? 0;
  const filesKept = receipt.counts.filesKept ?? 0;
  const published = isOtherTree ? 0 : filesFetched + filesKept;
  const exitCode = endingExitCode(receipt, published);
  const { records, special, existing } = receipt.skipped;
  return {
    ok: exitCode === 0,
    exitCode,
    ...(receipt.ended ?? {}),
    ...(exitCode === 0 || receipt.ended !== undefined
      ? {}
      : failureOf(all, filesFailed, published, exitCode)),
    destination: receipt.destination,
    treeDigest: receipt.treeDigest,
    omsDigest: receipt.omsDigest,
    files: receipt.counts.files,
    bytes: receipt.bytes,
    filesFetched,
    bytesFetched: receipt.bytesFetched ?? 0,
    filesKept,
    filesStale: receipt.stale.count,
    filesSkipped: records.count + special.count + (existing?.count ?? 0),
    ...(special.kinds === undefined ? {} : { specials: special.kinds }),
    levels: receipt.levels,
    failures: capFailures(all),
    filesFailed,
    warnings: [...specialWarning(receipt), ...receipt.warnings]
      .slice(0, SHOWN_FAILURES)
      .map((text) => text.slice(0, SHOWN_CHARACTERS)),
  };
}

/** What was left out is told, not only counted (rule 24). */
function specialWarning({ skipped: { special } }: Receipt): string[] {
  const [first] = special.first;
  if (first === undefined) return [];
  const counts = describeSpecials(special.kinds ?? { other: special.count });
  const name = JSON.stringify(cutText(first, 80));
  return [`left out, never opened: ${counts} (${name}${special.count > 1 ? ', …' : ''})`];
}

/**
 * What ended the whole pull decides its exit code, also where something is in place: a full disk is 7, giving up 12. Where
 * all was tried, something in place and something failed is 3, and where nothing is in place the most serious class.
 */
function endingExitCode({ ended, failures = [] }: Receipt, published: number): number {
  if (ended !== undefined) return errorRow(ended.code).exitCode;
  return exitCodeOf(
    failures.map((failure) => failure.code),
    published,
  );
}

/** The code and the words that decide how the pull ended. */
function failureOf(
  failures: readonly Failure[],
  count: number,
  published: number,
  exitCode: number,
): Pick<PullResult, 'code' | 'message'> {
  const decisive = failures.find((failure) => errorRow(failure.code).exitCode === exitCode);
  const told = decisive ?? failures[0];
  const words = told?.message ?? '';
  return {
    code: decisive?.code ?? 'WB_PARTIAL',
    message:
      published > 0
        ? `${count} of ${count + published} files failed; the first: ${words}`.slice(0, 500)
        : words.slice(0, 500),
  };
}

function capFailures(failures: readonly Failure[]): Failure[] {
  return failures.slice(0, SHOWN_FAILURES).map(({ path, code, message }) => ({
    path: path.slice(0, SHOWN_CHARACTERS),
    code,
    message: message.slice(0, SHOWN_CHARACTERS),
  }));
}
