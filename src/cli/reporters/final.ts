/** The last words about a pull, for people. */
import type { PullResult } from '../../model/pull.js';
import { failureLines, placeLines, provenLine } from '../progress/summary.js';
import type { Output } from '../output.js';
import type { PullLabel, Stopped } from './reporter.js';

/** Says how it ended: what went wrong on stderr, what was proven as the last line, on stdout. */
export function tellResult(output: Output, result: PullResult, label: PullLabel): void {
  if (output.isQuiet) {
    if (result.ok) output.rawResult(result.destination);
    for (const line of failureLines(result)) output.complain(line);
    return;
  }
  for (const warning of result.warnings) output.say(`warning: ${warning}`);
  for (const line of failureLines(result)) output.complain(line);
  for (const line of placeLines(result, label)) output.say(line);
  output.result(provenLine(result));
}

/** Says what is kept of a pull that was left, and how it goes on. */
export function tellStopped(output: Output, stopped: Stopped): void {
  for (const line of stopped.lines) output.say(line);
}
