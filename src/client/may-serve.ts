/** Whether this sign-in may do a worker's work: the SDK's own polling goes on for ever where Temporal refuses it. */
import type { Client } from '@temporalio/client';
import { asWaybillError } from '../model/errors.js';
import { reach } from './translate.js';

/** No pull has such an id: theirs end with a part of a digest. */
const NOBODY = 'waybill-may-this-worker-serve';

/**
 * Reports the heartbeat of an activity that does not exist, which needs the right that polling and completing need.
 * @throws WB_UNAUTHENTICATED where Temporal refuses it, WB_TEMPORAL_UNREACHABLE
 */
export async function checkMayServe({ workflowService, options }: Client): Promise<void> {
  const { namespace, identity } = options;
  const nobody = { namespace, identity, workflowId: NOBODY, activityId: NOBODY };
  try {
    await reach('serve work', () => workflowService.recordActivityTaskHeartbeatById(nobody));
  } catch (error) {
    if (asWaybillError(error).code !== 'WB_NOT_FOUND') throw error;
  }
}
