/** The last words about a pull, for people. */
import type { PullResult } from '../../model/pull.js';
import { failureLines, placeLines, provenLine } from '../progress/summary.js';
import type { Output } from '../output.js';
import type { PullLabel, Stopped } from './reporter.js';

/** Says how it ended: what went wrong on stderr, what was proven as the last line, on stdout. */
export function tellResult(output: Output, result: PullResult, label: PullLabel): void {
  if (output.isQuiet) {
    if (result.ok) output.rawResult(result.destination);
    tellFailures(output, result);
    return;
  }
  for (const warning of result.warnings) output.say(`warning: ${warning}`);
  tellFailures(output, result);
  for (const line of placeLines(result, label)) output.say(line);
  output.result(provenLine(result));
}

/** What failed, on stderr, as a command that fails says it; nothing where all is well. */
export function tellFailures(output: Output, result: PullResult): void {
  for (const [index, line] of failureLines(result).entries()) {
    output.complain(index === 0 ? `waybill: ${line}` : line);
  }
}

/** Says what is kept of a pull that was left, and how it goes on. */
export function tellStopped(output: Output, stopped: Stopped): void {
  for (const line of stopped.lines) output.say(line);
}
