/** Who asks for the work of a task queue. */
import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import { reach } from './translate.js';

/** A worker asks for work at least this often: its long polls last a minute. */
const POLLER_IS_ALIVE_FOR_MS = 65_000;

/** Temporal's numbers for the two kinds of task queue. */
const WORKFLOW_QUEUE = 1;
const ACTIVITY_QUEUE = 2;

/** The task queues of a site. */
export interface Queues {
  readonly workflows: string;
  readonly transfer: string;
}

/** What Temporal tells of a worker that asks for work. */
type Poller = NonNullable<
  Awaited<ReturnType<Client['workflowService']['describeTaskQueue']>>['pollers']
>[number];

/**
 * The name under which this process works for a site. It says the site, for a worker whose hands are full asks for
 * workflows only, whose queue all sites share.
 */
export function workerIdentity(site: string | undefined): string {
  return `${hostname()}/${process.pid}/worker${site === undefined ? '' : `/${site}`}`;
}

function isWorkerOf(identity: string, site: string | undefined): boolean {
  return identity.endsWith(`/worker${site === undefined ? '' : `/${site}`}`);
}

async function pollers(client: Client, queue: string, taskQueueType: number): Promise<Poller[]> {
  const answer = await reach('ask who serves the task queue', () =>
    client.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: queue },
      taskQueueType,
    }),
  );
  return answer.pollers ?? [];
}

const identityOf = (poller: Poller): string => poller.identity ?? '';
const secondsOf = (poller: Poller): number => Number(poller.lastAccessTime?.seconds ?? 0);

/** The identities of the workers that asked for work of this queue within some minutes; some may be gone. */
export async function pollersOf(client: Client, taskQueue: string): Promise<string[]> {
  const kinds = [WORKFLOW_QUEUE, ACTIVITY_QUEUE];
  const found = await Promise.all(kinds.map((kind) => pollers(client, taskQueue, kind)));
  return [...new Set(found.flat().map(identityOf))];
}

/** Those that ask for workflows, and those that work for the site: by their asking, or by their name when their hands are full. */
async function workersOf(
  client: Client,
  { workflows, transfer }: Queues,
  site: string | undefined,
): Promise<{ readonly workflows: readonly Poller[]; readonly transfer: readonly Poller[] }> {
  const [one, other] = await Promise.all([
    pollers(client, workflows, WORKFLOW_QUEUE),
    pollers(client, transfer, ACTIVITY_QUEUE),
  ]);
  const named = one.filter((poller) => isWorkerOf(identityOf(poller), site));
  return { workflows: one, transfer: [...other, ...named] };
}

/** Whether, within about a minute, a worker asked for workflows and one of this site was there for its bytes. */
export async function isServed(
  client: Client,
  queues: Queues,
  site: string | undefined,
): Promise<boolean> {
  const oldest = Date.now() - POLLER_IS_ALIVE_FOR_MS;
  const found = await workersOf(client, queues, site);
  return [found.workflows, found.transfer].every((kind) =>
    kind.some((poller) => secondsOf(poller) * 1_000 >= oldest),
  );
}

/** The identities of the workers of a site, without those that are gone: by Temporal's clock alone, which is the same for all who ask. */
export async function liveWorkersOf(
  client: Client,
  queues: Queues,
  site: string | undefined,
): Promise<string[]> {
  const { transfer } = await workersOf(client, queues, site);
  const latest = Math.max(0, ...transfer.map(secondsOf));
  const live = transfer.filter(
    (poller) => (latest - secondsOf(poller)) * 1_000 <= POLLER_IS_ALIVE_FOR_MS,
  );
  return [...new Set(live.map(identityOf))];
}
