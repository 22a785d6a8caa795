/** Runs that were ended so that another command can go on with other options or credentials. */
import type { WorkflowHandle } from '@temporalio/client';

/** The reason of the request to cancel; Temporal's page of the run shows it. */
export const SUPERSEDED = 'another command goes on with this pull';

/** Events behind the request in which it is looked for: what ran hands its work back, and the destination is released. */
const LAST_EVENTS = 200;

/** Whether a run that was cancelled was ended for that. One that Temporal has forgotten was not. */
export async function isSuperseded(handle: WorkflowHandle): Promise<boolean> {
  try {
    const { runId, workflowId } = await handle.describe();
    const { workflowService, options } = handle.client;
    const { history } = await workflowService.getWorkflowExecutionHistoryReverse({
      namespace: options.namespace,
      execution: { workflowId, runId },
      maximumPageSize: LAST_EVENTS,
    });
    return (history?.events ?? []).some(
      (event) => event.workflowExecutionCancelRequestedEventAttributes?.cause === SUPERSEDED,
    );
  } catch {
    return false;
  }
}
