/**
 * A worker that only talks to the service: it tells its arguments in `worker-args.ndjson` of the state folder, and
 * is as busy as the file `open-pulls` there says.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseServiceMessage, type WorkerMessage } from '../../src/service/worker-ipc.js';

const args = process.argv.slice(2);
const stateDir = args[args.indexOf('--state-dir') + 1] ?? '.';
const tell = (message: WorkerMessage): void => void process.send?.(message);

appendFileSync(
  join(stateDir, 'worker-args.ndjson'),
  `${JSON.stringify({ pid: process.pid, args })}\n`,
);
process.on('SIGTERM', () => process.exit(0));
process.on('message', (value: unknown) => {
  const asked = parseServiceMessage(value);
  if (asked === undefined) return;
  let openPulls = 0;
  try {
    openPulls = Number(readFileSync(join(stateDir, 'open-pulls'), 'utf8'));
  } catch {
    // Not there: not busy.
  }
  tell({ type: 'busy', openPulls, question: asked.question });
});
process.on('disconnect', () => undefined);
tell({ type: 'ready', identity: `stand-in/${process.pid}` });
setInterval(() => undefined, 60_000);
