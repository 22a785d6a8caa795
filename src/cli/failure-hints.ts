/** What the raw arguments say about telling a failure, before or without a parsed command line. */

/** What is asked for among the arguments before `--`. */
export interface FailureHints {
  readonly isJson: boolean;
  readonly isDebug: boolean;
  /** What follows `--cluster`; absent: it is not there. */
  readonly cluster?: string;
}

/** Reads `--json`, `--debug` and `--cluster`. */
export function readFailureHints(argv: readonly string[]): FailureHints {
  const end = argv.indexOf('--');
  const flags = end < 0 ? argv : argv.slice(0, end);
  const at = flags.findIndex((flag) => /^--cluster(=|$)/.test(flag));
  const cluster = flags[at]?.split('=')[1] ?? flags[at + 1];
  return {
    isJson: flags.includes('--json'),
    isDebug: flags.includes('--debug'),
    ...(at < 0 || cluster === undefined ? {} : { cluster }),
  };
}
