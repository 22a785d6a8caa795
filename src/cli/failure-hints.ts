/** What the raw arguments say about telling a failure, before or without a parsed command line. */
import type { NamedCluster } from './at-cluster.js';

/** What is asked for among the arguments before `--`. */
export interface FailureHints extends NamedCluster {
  readonly isJson: boolean;
  readonly isDebug: boolean;
}

/** Reads `--json`, `--debug`, `--cluster` and `--namespace`. */
export function readFailureHints(argv: readonly string[]): FailureHints {
  const end = argv.indexOf('--');
  const flags = end < 0 ? argv : argv.slice(0, end);
  return {
    isJson: flags.includes('--json'),
    isDebug: flags.includes('--debug'),
    cluster: valueOf(flags, '--cluster'),
    namespace: valueOf(flags, '--namespace'),
  };
}

function valueOf(flags: readonly string[], name: string): string | undefined {
  const at = flags.findIndex((flag) => flag === name || flag.startsWith(`${name}=`));
  if (at < 0) return undefined;
  return flags[at] === name ? flags[at + 1] : flags[at]?.slice(name.length + 1);
}
