/** Starting the service process, from the side of the command that needs it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { scrubbedEnvironment } from '../config.js';
import { WaybillError } from '../model/errors.js';
import { replyError } from './control-protocol.js';
import { MEMORY_SETTINGS, namelessUserSettings, THREAD_SETTINGS } from './child-settings.js';
import { openLog, readLogEnd } from './log-file.js';
import { formatServiceArguments, type ServiceArguments } from './service-arguments.js';
import { makeServiceFolders, serviceFiles } from './service-files.js';
import { parseStartReport } from './starter-ipc.js';

export interface StartServiceOptions {
  readonly args: ServiceArguments;
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** The process was started, and is waited for from now on. */
  readonly onWaiting?: (() => void) | undefined;
}

/** A service process that this command started. */
export interface StartedService {
  readonly pid: number;
  /** An inline service ends, unless others use it; waited for at most 30 s. A background one is left alone. */
  letGo(): Promise<void>;
}

const LET_GO_TIMEOUT_MS = 30_000;

/**
 * Starts a service process and waits until its control socket answers.
 * @returns undefined when another one turned out to be there: it answers
 * @throws WaybillError with what the service process said; the signal's reason when aborted
 */
export async function startService(
  options: StartServiceOptions,
): Promise<StartedService | undefined> {
  const { args, signal } = options;
  const { folder, serviceLog: log } = serviceFiles(args.stateDir);
  makeServiceFolders(args.stateDir, options.onProgress);
  const logFd = openLog(log);
  const environment = scrubbedEnvironment();
  const script = fileURLToPath(new URL('service-main.js', import.meta.url));
  const child = spawn(process.execPath, [script, ...formatServiceArguments(args)], {
    // A session of its own in both modes: a Ctrl-C in the terminal is for the command alone.
    detached: true,
    cwd: args.stateDir,
    // Rule 2: the service, and what it starts, inherits no secret of this shell.
    env: {
      ...environment,
      ...namelessUserSettings(environment, folder),
      ...MEMORY_SETTINGS,
      ...THREAD_SETTINGS,
    },
    stdio: ['ignore', 'ignore', logFd, 'ipc'],
  });
  closeSync(logFd);
  options.onWaiting?.();
  const isOurs = await waitForReport(child, log, options.onProgress, signal);
  if (args.mode === 'background' || !isOurs) detach(child);
  else release(child);
  if (!isOurs || child.pid === undefined) return undefined;
  return { pid: child.pid, letGo: () => letGo(child) };
}

function waitForReport(
  child: ChildProcess,
  log: string,
  onProgress: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      // Whoever comes next joins it; it idles out if nobody does.
      detach(child);
      reject(asError(signal?.reason));
    };
    signal?.addEventListener('abort', abort, { once: true });
    child.on('message', (value: unknown) => {
      const report = parseStartReport(value);
      if (report?.type === 'progress') return onProgress(report.line);
      signal?.removeEventListener('abort', abort);
      if (report?.type === 'failed') return reject(replyError(report.error));
      if (report !== undefined) resolve(report.type === 'up');
    });
    child.once('error', (error) => reject(didNotStart(error.message, log)));
    child.once('exit', (code) => reject(didNotStart(`exit code ${code}`, log)));
  });
}

/** What an abort was given as its reason; an Error unless somebody chose otherwise. */
function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new WaybillError('WB_STOPPED', String(reason));
}

/** The command may end without it. */
function release(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
}

function detach(child: ChildProcess): void {
  child.removeAllListeners();
  child.on('error', () => undefined);
  if (child.connected) child.disconnect();
  child.unref();
}

async function letGo(child: ChildProcess): Promise<void> {
  if (!child.connected) return;
  child.ref();
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.disconnect();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, LET_GO_TIMEOUT_MS)));
  await Promise.race([exited, late]);
  clearTimeout(timer);
  child.unref();
}

function didNotStart(why: string, log: string): WaybillError {
  return new WaybillError(
    'WB_TEMPORAL_UNREACHABLE',
    `The local service did not start (${why}). The end of its log, ${log}: ${readLogEnd(log)}`,
    { operation: 'start service' },
  );
}
