/** The last words about a pull, for people. */
import type { PullResult } from '../../model/pull.js';
import { readLastStack } from '../../service/log-file.js';
import { failureLines, placeLines, provenLine } from '../progress/summary.js';
import type { Output } from '../output.js';
import type { Logs, PullLabel, Stopped } from './reporter.js';

/** Says how it ended: what went wrong on stderr, what was proven as the last line, on stdout. */
export function tellResult(output: Output, result: PullResult, label: PullLabel): void {
  if (output.isQuiet) {
    if (result.ok) output.rawResult(result.destination);
    tellFailures(output, result, label);
    return;
  }
  for (const warning of result.warnings) output.say(`warning: ${warning}`);
  tellFailures(output, result, label);
  for (const line of placeLines(result, label)) output.say(line);
  output.result(provenLine(result));
}

/** What failed, on stderr, as a command that fails says it; nothing where all is well. */
export function tellFailures(output: Output, result: PullResult, logs: Logs): void {
  for (const [index, line] of failureLines(result).entries()) {
    output.complain(index === 0 ? `waybill: ${line}` : line);
  }
  const { workerLog, isDebug } = logs;
  if (workerLog === undefined || !hasUnexpected(result)) return;
  output.complain(`  The worker's log says where it happened: ${workerLog}`);
  const stack = isDebug === true ? readLastStack(workerLog) : undefined;
  if (stack !== undefined) output.complain(stack);
}

function hasUnexpected({ code, failures }: PullResult): boolean {
  return [code, ...failures.map((failure) => failure.code)].includes('WB_UNEXPECTED');
}

/** Says what is kept of a pull that was left, and how it goes on. */
export function tellStopped(output: Output, stopped: Stopped): void {
  for (const line of stopped.lines) output.say(line);
}
