import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WaybillError } from '../model/errors.js';

export interface ServerProcessOptions {
  /** What messages call it: `MLflow`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment of the server. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** stdout and stderr of the server are appended here. */
  readonly logFile: string;
  /** Asked again and again until it is true. It may throw while the server is not there yet. */
  readonly isReady: () => Promise<boolean>;
  /** 60 s by default. */
  readonly readyTimeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ServerProcess {
  /** The id of the process group: the server and all that it started. */
  readonly groupId: number;
  readonly isRunning: () => boolean;
  /** Sends a signal to the server and to all that it started. Does nothing after its end. */
  readonly kill: (signal: NodeJS.Signals) => void;
  /** SIGTERM, SIGKILL after 5 s; returns when all of it has ended. Safe to call twice. */
  readonly stop: () => Promise<void>;
  /** The end of the log. */
  readonly logTail: () => string;
}

/**
 * The shell leads the group. It ends the whole group when its standard input closes, which the system does
 * for us however this process ends: a killed test run leaves no server behind.
 */
const KEEPER = `
trap : TERM INT HUP
exec 3<&0 </dev/null
"$@" 3<&- & server=$!
(trap '' TERM INT HUP; cat <&3 >/dev/null; kill -KILL 0) & 
exec 3<&-
while :; do wait "$server"; code=$?; kill -0 "$server" 2>/dev/null || break; done
exit "$code"`;

const POLL_MS = 100;
const STOP_AFTER_MS = 5_000;

/**
 * Starts a server in a process group of its own and waits until it is ready.
 * @throws WaybillError WB_UNAVAILABLE with the end of its log when it ends or is not ready in time;
 *   the signal's reason when aborted. Nothing is left running then.
 */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  options.signal?.throwIfAborted();
  const log = openSync(options.logFile, 'a');
  const child = spawn('/bin/sh', ['-c', KEEPER, 'sh', options.command, ...options.args], {
    cwd: options.cwd,
    env: { ...options.env },
    detached: true,
    stdio: ['pipe', log, log],
  });
  closeSync(log);
  child.unref();
  if (child.stdin !== null && 'unref' in child.stdin && typeof child.stdin.unref === 'function') {
    child.stdin.unref();
  }
  let spawnError: Error | undefined;
  let isOver = false;
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      spawnError = error;
      isOver = true;
      resolve();
    });
    child.once('exit', () => {
      signalGroup(child.pid, 'SIGKILL');
      isOver = true;
      resolve();
    });
  });
  const server: ServerProcess = {
    groupId: child.pid ?? 0,
    isRunning: () => !isOver,
    kill: (signal) => {
      if (!isOver) signalGroup(child.pid, signal);
    },
    stop: async () => {
      if (isOver) return;
      child.ref();
      signalGroup(child.pid, 'SIGTERM');
      signalGroup(child.pid, 'SIGCONT');
      const timer = setTimeout(() => signalGroup(child.pid, 'SIGKILL'), STOP_AFTER_MS);
      await ended;
      clearTimeout(timer);
    },
    logTail: () => readFileSync(options.logFile, 'utf8').slice(-4_000),
  };
  try {
    await waitUntilReady(options, server);
  } catch (error) {
    await server.stop();
    throw spawnError ?? error;
  }
  return server;
}

async function waitUntilReady(options: ServerProcessOptions, server: ServerProcess): Promise<void> {
  const timeoutMs = options.readyTimeoutMs ?? 60_000;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      if (await options.isReady()) return;
    } catch (error) {
      last = error;
    }
    const why = !server.isRunning()
      ? 'ended while starting'
      : performance.now() > deadline
        ? `was not ready after ${timeoutMs / 1000} s`
        : undefined;
    if (why !== undefined) {
      throw new WaybillError(
        'WB_UNAVAILABLE',
        `${options.name} ${why}. Its log (${options.logFile}) ends with:\n${server.logTail()}`,
        { operation: 'start', cause: last },
      );
    }
    await sleep(POLL_MS);
  }
}

/** Whether something accepts connections at a port of 127.0.0.1. */
export async function acceptsConnections(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const answer = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}

function signalGroup(groupId: number | undefined, signal: NodeJS.Signals): void {
  if (groupId === undefined) return;
  try {
    process.kill(-groupId, signal);
  } catch {
    // Nobody of the group is left, which is all that could be wanted.
  }
}
