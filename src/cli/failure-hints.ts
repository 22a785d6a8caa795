/** What the raw arguments say about telling a failure, before or without a parsed command line. */

/** Whether `--json` and `--debug` stand among the arguments before `--`. */
export function readFailureHints(argv: readonly string[]): { isJson: boolean; isDebug: boolean } {
  const end = argv.indexOf('--');
  const flags = end < 0 ? argv : argv.slice(0, end);
  return { isJson: flags.includes('--json'), isDebug: flags.includes('--debug') };
}
