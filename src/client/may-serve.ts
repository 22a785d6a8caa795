/** Whether this sign-in may do a worker's work: the SDK's own polling goes on for ever where Temporal refuses it. */
import { isGrpcServiceError, type Client } from '@temporalio/client';
import { reach } from './translate.js';

/** No pull has such an id: theirs end with a part of a digest. */
const NOBODY = 'waybill-may-this-worker-serve';

const NOT_FOUND = 5;

/**
 * Reports the heartbeat of an activity that does not exist, which needs the right that polling and completing need.
 * @throws WB_UNAUTHENTICATED where Temporal refuses it, WB_TEMPORAL_UNREACHABLE
 */
export async function checkMayServe({ workflowService, options }: Client): Promise<void> {
  const { namespace, identity } = options;
  await reach('serve work', async () => {
    try {
      await workflowService.recordActivityTaskHeartbeatById({
        namespace,
        identity,
        workflowId: NOBODY,
        activityId: NOBODY,
      });
    } catch (error) {
      if (!isGrpcServiceError(error) || error.code !== NOT_FOUND) throw error;
    }
  });
}
