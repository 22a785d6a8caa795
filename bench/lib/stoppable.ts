/** A program that a signal stops: it cleans up, says so, and ends as a shell expects. */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs to an exit code. A stop lets what runs clean up: servers and services end, folders go.
 * @param run throws the signal's reason once that has aborted
 */
export async function runStoppable(
  run: (signal: AbortSignal) => Promise<number>,
  say: (line: string) => void,
): Promise<number> {
  const controller = new AbortController();
  let exitCode = 1;
  for (const name of SIGNALS) {
    process.on(name, () => {
      exitCode = 128 + constants.signals[name];
      controller.abort(new Error(`stopped by ${name}`));
    });
  }
  try {
    return await run(controller.signal);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    say((controller.signal.reason as Error).message);
    return exitCode;
  }
}
