/** How a pull ended, for people: what was proven, where it is, how to check it again. */
import { errorRow, type ErrorCode } from '../../model/errors.js';
import { LEVELS } from '../../model/level.js';
import type { PullResult } from '../../model/pull.js';
import { formatBytes, formatCount } from '../../model/sizes.js';
import { shellQuote } from '../../model/shell-quote.js';
import { describeSpecials } from '../../model/special.js';

/** `412 files, 8.1 GB: 410 published, 2 size`, strongest first; what failed or is stale follows. */
export function provenLine(result: PullResult): string {
  const levels = [...LEVELS]
    .reverse()
    .map((level) => ({ level, count: result.levels[level] ?? 0 }))
    .filter(({ count }) => count > 0)
    .map(({ level, count }) => `${count.toLocaleString('en-US')} ${level}`);
  const head = `${formatCount(result.files, 'file')}, ${formatBytes(result.bytes)}`;
  const proven = levels.length === 0 ? '' : `: ${levels.join(', ')}`;
  const failed =
    result.filesFailed === 0 ? '' : `; ${result.filesFailed.toLocaleString('en-US')} failed`;
  const specials = describeSpecials(result.specials ?? {});
  return `${head}${proven}${failed}${specials === '' ? '' : `; skipped: ${specials}`}`;
}

/** Failures that are listed by name. */
const MAX_LISTED = 10;

/** What failed and what to do about it. */
export function failureLines(result: PullResult): string[] {
  const lines: string[] = [];
  if (result.filesFailed > 0 || result.failures.length > 0) {
    const count = Math.max(result.filesFailed, result.failures.length);
    lines.push(`${formatCount(count, 'file')} failed:`);
    for (const { path, message } of result.failures.slice(0, MAX_LISTED)) {
      lines.push(message.includes(path) ? `  ${message}` : `  ${path}: ${message}`);
    }
    const hidden = count - Math.min(result.failures.length, MAX_LISTED);
    if (hidden > 0) lines.push(`  and ${hidden.toLocaleString('en-US')} more`);
  }
  if (!result.ok) {
    const code = result.code ?? result.failures[0]?.code ?? 'WB_UNEXPECTED';
    const message = result.message ?? errorRow(code).summary;
    // A message that only repeats the first failure says nothing new.
    if (result.failures.every((failure) => !message.includes(failure.message.slice(0, 60)))) {
      lines.push(message);
    }
    // A message about the command line says itself what to type.
    if (code !== 'WB_USAGE') {
      lines.push(
        ...advicesOf(code, result)
          .filter((advice) => !message.includes(advice))
          .map((advice) => `  ${advice}`),
      );
    }
  }
  return lines;
}

/** What to do: of a partial pull, whatever its failures want; the same command alone would end the same way. */
function advicesOf(code: ErrorCode, { failures }: PullResult): string[] {
  const codes = code === 'WB_PARTIAL' ? failures.map((failure) => failure.code) : [];
  return [...new Set((codes.length === 0 ? [code] : codes).map((one) => errorRow(one).advice))];
}

/** Usage, not found, a conflict, an unsafe name, a limit: the same command ends the same way. */
const IN_VAIN: readonly number[] = [2, 4, 9, 11, 14];

/** Where the tree is and how to check it again. */
export function placeLines(
  result: PullResult,
  label: { readonly command: string; readonly skipsExisting: boolean },
): string[] {
  const lines: string[] = [];
  const { filesKept, filesFetched, filesStale, filesSkipped } = result;
  if (filesKept > 0) {
    lines.push(
      filesFetched === 0
        ? 'Everything was already here.'
        : `${formatCount(filesFetched, 'file')} fetched, ${filesKept.toLocaleString('en-US')} already here.`,
    );
  }
  if (filesStale > 0) {
    lines.push(
      `${formatCount(filesStale, 'file')} of the last pull are no longer at the source; --prune removes them.`,
    );
  }
  const specials = Object.values(result.specials ?? {}).reduce((sum, count) => sum + count, 0);
  if (filesSkipped > specials && label.skipsExisting) {
    lines.push(
      `${formatCount(filesSkipped - specials, 'file')} were left alone (--if-exists skip); the receipt names them.`,
    );
  }
  const place = shellQuote(result.destination);
  if (result.ok) {
    lines.push(`In ${result.destination}; check it again with: waybill verify ${place}`);
  } else if (result.files > 0 || !IN_VAIN.includes(result.exitCode)) {
    lines.push(`In ${result.destination}; go on with: ${label.command}`);
  }
  return lines;
}
