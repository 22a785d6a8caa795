/** Who asks for the work of a task queue. */
import type { Client } from '@temporalio/client';
import { reach } from './translate.js';

/** A worker asks for work at least this often: its long polls last a minute. */
const POLLER_IS_ALIVE_FOR_MS = 65_000;

/** Temporal's numbers for the two kinds of task queue. */
const WORKFLOW_QUEUE = 1;
const ACTIVITY_QUEUE = 2;

/** What Temporal tells of a worker that asks for work. */
type Poller = NonNullable<
  Awaited<ReturnType<Client['workflowService']['describeTaskQueue']>>['pollers']
>[number];

async function pollers(client: Client, taskQueue: string): Promise<Poller[]> {
  const answers = await reach('ask who serves the task queue', () =>
    Promise.all(
      [WORKFLOW_QUEUE, ACTIVITY_QUEUE].map((taskQueueType) =>
        client.workflowService.describeTaskQueue({
          namespace: client.options.namespace,
          taskQueue: { name: taskQueue },
          taskQueueType,
        }),
      ),
    ),
  );
  return answers.flatMap((answer) => answer.pollers ?? []);
}

/** The identities of the workers that asked for work of this queue within some minutes; some may be gone. */
export async function pollersOf(client: Client, taskQueue: string): Promise<string[]> {
  const found = await pollers(client, taskQueue);
  return [...new Set(found.flatMap(({ identity }) => identity ?? []))];
}

/** Whether a worker asked for work of this queue within about a minute. */
export async function isWorkerPolling(client: Client, taskQueue: string): Promise<boolean> {
  const oldest = Date.now() - POLLER_IS_ALIVE_FOR_MS;
  return (await pollers(client, taskQueue)).some(
    (poller) => Number(poller.lastAccessTime?.seconds ?? 0) * 1_000 >= oldest,
  );
}

/** As `pollersOf`, without those that stopped asking: by Temporal's clock alone, which is the same for all who ask. */
export async function livePollersOf(client: Client, taskQueue: string): Promise<string[]> {
  const found = await pollers(client, taskQueue);
  const secondsOf = (poller: Poller): number => Number(poller.lastAccessTime?.seconds ?? 0);
  const latest = Math.max(0, ...found.map(secondsOf));
  const live = found.filter(
    (poller) => (latest - secondsOf(poller)) * 1_000 <= POLLER_IS_ALIVE_FOR_MS,
  );
  return [...new Set(live.flatMap(({ identity }) => identity ?? []))];
}
