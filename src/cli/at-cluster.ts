/** Commands that a person is told to type: a cluster that was named on this command line is named there too. */
import { shellQuote } from '../model/shell-quote.js';

/** What was said of the cluster, absent where it was not on the command line: variables and files say it again by themselves. */
export interface NamedCluster {
  readonly cluster?: string | undefined;
  readonly namespace?: string | undefined;
}

const COMMAND =
  /\bwaybill (watch|status|pause|resume|cancel|retry|tune|pulls|doctor|worker)\b(?![^`\n]* --cluster )/g;

/** Completes the commands in a text, so that typed as they stand they look where this one looked. */
export function commandsAt({ cluster, namespace }: NamedCluster): (text: string) => string {
  if (cluster === undefined) return (text) => text;
  const named = namespace === undefined ? '' : ` --namespace ${shellQuote(namespace)}`;
  const flags = ` --cluster ${shellQuote(cluster)}${named}`;
  return (text) => text.replace(COMMAND, (command) => command + flags);
}
