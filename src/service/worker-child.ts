/** The worker as a child of the service. */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  formatWorkerArguments,
  parseWorkerMessage,
  type ServiceMessage,
  type WorkerArguments,
  type WorkerMessage,
} from './worker-ipc.js';

/**
 * A small young generation is collected often, so that buffers outside the heap go early; and a heap grows by half at most
 * between two collections of all of it, from its first megabytes on. Together the worker stays some 130 MB smaller. Another
 * 50 MB are to be had with `--optimize-for-size`, which all but doubles what many small files cost: it collects all the time.
 * A collection of a few megabytes is over before helpers have woken up, and they wake up on the cores of the fetching threads.
 * Compiling a function once more for speed pays off only where it runs often: the first pull of thousands of small files spent a
 * quarter of its processor time in that compiler. At 2,000,000 a pull of 100,000 files waits too long for its fast functions.
 */
export const WORKER_FLAGS = [
  '--max-semi-space-size=4',
  '--initial-old-space-size=16',
  '--heap-growing-percent=50',
  '--single-threaded-gc',
  '--interrupt-budget=300000',
];

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
