/** The worker as a child of the service. */
import { spawn, type ChildProcess } from 'node:child_process';
import { WORKER_FLAGS } from './worker-flags.js';
import {
  formatWorkerArguments,
  parseWorkerMessage,
  type ServiceMessage,
  type WorkerArguments,
  type WorkerMessage,
} from './worker-ipc.js';

/**
 * Starts it, in a session of its own: a Ctrl-C in the terminal is for the command, which pauses the pull. Its
 * environment is the service's own, which was scrubbed when that was started.
 * @param script path of the worker's script
 * @param log where its stderr goes
 * @param userUmask the umask of the shell that started the service
 */
export function spawnWorker(
  script: string,
  args: WorkerArguments,
  log: number,
  userUmask: number,
): ChildProcess {
  // What a pull brings gets the rights that the user's shell gives; only the service's own files are private.
  const privateUmask = process.umask(userUmask);
  try {
    const command = [...WORKER_FLAGS, script, ...formatWorkerArguments(args)];
    return spawn(process.execPath, command, {
      detached: true,
      stdio: ['ignore', 'ignore', log, 'ipc'],
    });
  } finally {
    process.umask(privateUmask);
  }
}

/** Passes on what the worker says; anything that is none of its messages is dropped. */
export function listenToWorker(
  child: ChildProcess,
  onMessage: (message: WorkerMessage) => void,
): void {
  child.on('message', (value: unknown) => {
    const message = parseWorkerMessage(value);
    if (message !== undefined) onMessage(message);
  });
}

/** Asks the worker how many pulls are open; its answer comes as a message with the number of the question. */
export function askHowBusy(child: ChildProcess | undefined, question: number): void {
  if (child?.connected !== true) return;
  const message: ServiceMessage = { type: 'how-busy', question };
  // A worker that dies while it is asked is noticed by its exit.
  child.send(message, () => undefined);
}
