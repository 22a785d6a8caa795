/** Gives the work of a dead worker back at once, instead of after its heartbeat timeout (rule 27). */
import { ActivityNotFoundError, ApplicationFailure, type Client } from '@temporalio/client';
import { PULL_WORKFLOW, SHARD_WORKFLOW } from '../workflows/messages.js';
import { pendingUnits } from './in-flight.js';
import { reach, translate } from './translate.js';

/** The type of the failure that an activity of a dead worker gets; it never counts as a failure of a file. */
export const WORKER_LOST = 'WorkerLost';

async function handBackOne(
  client: Client,
  workflowId: string,
  activityId: string,
): Promise<boolean> {
  try {
    await client.activity.fail(
      { workflowId, activityId },
      ApplicationFailure.create({
        type: WORKER_LOST,
        message: 'the worker that had this died; another attempt follows at once',
        nextRetryDelay: '10 ms',
      }),
    );
    return true;
  } catch (error) {
    // It ended, or timed out and runs again already.
    if (error instanceof ActivityNotFoundError) return false;
    throw translate(error, 'hand back the work of a dead worker');
  }
}

/**
 * Fails every running activity whose last worker has one of these identities. The caller has proven that those
 * workers are dead. Answers how many were handed back.
 */
export async function handBackWork(client: Client, identity: string): Promise<number> {
  const query = `WorkflowType IN ('${PULL_WORKFLOW}', '${SHARD_WORKFLOW}') AND ExecutionStatus = 'Running'`;
  let handedBack = 0;
  await reach('list the running pulls', async () => {
    for await (const { workflowId } of client.workflow.list({ query })) {
      const description = await client.workflow.getHandle(workflowId).describe();
      const lost = pendingUnits(client, description).filter(
        (unit) => unit.isStarted && unit.worker === identity,
      );
      const outcomes = await Promise.all(
        lost.map((unit) => handBackOne(client, workflowId, unit.activityId)),
      );
      handedBack += outcomes.filter((isDone) => isDone).length;
    }
  });
  return handedBack;
}
