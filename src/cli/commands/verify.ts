/** `waybill verify [destination]`: hash again, compare with the manifest. */
import { errorRow } from '../../model/errors.js';
import { formatBytes, formatCount } from '../../model/sizes.js';
import { verifyTree, type Finding, type VerifyReport } from '../../transfer/verify.js';
import type { CommandContext } from '../context.js';
import { refuseHung } from '../hung-share.js';
import { runInProcess } from '../in-process.js';
import { shellQuote } from '../../model/shell-quote.js';

function tellFinding({ output }: CommandContext, { kind, path, why }: Finding): void {
  const shown = path.replaceAll('\n', '\\n');
  output.result(`${kind.padEnd(7)}  ${shown}  (${why})`);
}

function summary(report: VerifyReport): string {
  const { files, bytesHashed, counts, isQuick } = report;
  const looked = isQuick ? 'sizes compared, nothing hashed' : `${formatBytes(bytesHashed)} hashed`;
  const found = (['changed', 'missing', 'extra', 'stale'] as const)
    .filter((kind) => counts[kind] > 0)
    .map((kind) => `${counts[kind].toLocaleString('en-US')} ${kind}`);
  const verdict = found.length === 0 ? 'as recorded' : found.join(', ');
  return `${formatCount(files, 'file')}, ${looked}: ${verdict}`;
}

function tellNext({ output }: CommandContext, report: VerifyReport): void {
  for (const problem of report.recordProblems) output.complain(problem);
  if (report.state === 'partial') {
    output.complain(
      `The pull was partial: ${formatCount(report.failed.length, 'file')} never arrived. ` +
        'The same waybill pull command continues.',
    );
  }
  const { changed, missing } = report.counts;
  if (changed + missing > 0 && report.source !== undefined) {
    const places = `${shellQuote(report.source)} ${shellQuote(report.destination)}`;
    output.say(`Repair: waybill pull ${places} --checksum --if-exists overwrite`);
  }
}

/** Verifies a destination; differences are exit 6. */
export async function runVerify(
  context: CommandContext,
  [destination = '.']: readonly (string | undefined)[],
): Promise<number> {
  const { output, flags } = context;
  refuseHung(destination, 'destination');
  const isJson = output.isJson;
  const report = await runInProcess(context, 'hashing', ({ signal, progress }) =>
    verifyTree(destination, {
      isQuick: flags['quick'] === true,
      signal,
      progress,
      onFinding: (finding) => {
        if (isJson) output.json({ type: 'finding', ...finding });
        else if (!output.isQuiet) tellFinding(context, finding);
      },
    }),
  );
  const exitCode = report.ok ? 0 : errorRow(report.code ?? 'WB_LOCAL_DAMAGE').exitCode;
  if (isJson) {
    const message = report.ok ? null : summary(report);
    output.jsonResult({ ...report, code: report.code ?? null, message }, exitCode);
    return exitCode;
  }
  tellNext(context, report);
  if (!output.isQuiet) output.result(summary(report));
  return exitCode;
}
