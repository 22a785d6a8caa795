/**
 * Entry of the background service. It is started by `findOrStartService` and by nothing else; it loads neither
 * the Temporal SDK nor a store, so that it stays small for as long as it lives.
 */
import { toPlainError } from '../model/errors.js';
import { parseServiceArguments } from './service-arguments.js';
import { makeServiceFolders } from './service-files.js';
import type { StartReport } from './starter-ipc.js';
import { createSupervisor, type Supervisor } from './supervisor.js';
import { takeOver } from './take-over.js';

async function main(): Promise<void> {
  const userUmask = process.umask(0o077);
  // The command that started it may be gone before the first report.
  process.on('error', () => undefined);
  const args = parseServiceArguments(process.argv.slice(2));
  makeServiceFolders(args.stateDir);
  const taken = await takeOver(args.stateDir, (line) => {
    log(line);
    report({ type: 'progress', line });
  });
  if (taken === undefined) {
    report({ type: 'joined' });
    process.disconnect?.();
    return;
  }
  const supervisor = await createSupervisor({ args, ...taken, log, userUmask });
  endWithChildren(supervisor);
  try {
    await supervisor.start();
  } catch (error) {
    await supervisor.stop('it cannot start');
    throw error;
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => void supervisor.stop(signal));
  }
  process.on('SIGHUP', () => undefined);
  if (args.mode === 'inline') {
    process.on('disconnect', () => supervisor.disown());
    if (!process.connected) supervisor.disown();
  }
  report({ type: 'up' });
  await supervisor.stopped;
  process.exit(0);
}

/** A service that fails, for example to write its record on a full disk, leaves no Temporal and no worker behind. */
function endWithChildren(supervisor: Supervisor): void {
  process.on('uncaughtException', (error) => {
    log(error.stack ?? error.message);
    void supervisor.stop('it failed').finally(() => process.exit(1));
  });
}

/** To the command that is waiting; nobody may be. */
function report(message: StartReport): void {
  if (process.connected) process.send?.(message, () => undefined);
}

function log(line: string): void {
  process.stderr.write(`${new Date().toISOString()} service ${process.pid}: ${line}\n`);
}

main().catch((error: unknown) => {
  log(error instanceof Error ? (error.stack ?? error.message) : String(error));
  if (!process.connected) process.exit(1);
  const failed: StartReport = { type: 'failed', error: { ...toPlainError(error) } };
  process.send?.(failed, () => process.exit(1));
});
