/** The name of a Temporal, by which a destination tells whose it is (rule 6). */
import type { Client } from '@temporalio/client';
import { WaybillError } from '../model/errors.js';
import { reach } from './translate.js';

/**
 * The cluster and the namespace. Who has rights in the namespace alone may not ask about the cluster: then it is the
 * namespace's own random id, so that the workers of a namespace should all have the same rights.
 */
export async function engineIdOf(client: Client): Promise<string> {
  const { namespace } = client.options;
  try {
    const { clusterId } = await reach('ask Temporal for its name', () =>
      client.workflowService.getClusterInfo({}),
    );
    return `${clusterId ?? ''}/${namespace}`;
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== 'WB_UNAUTHENTICATED') throw error;
  }
  const { namespaceInfo } = await reach('ask Temporal for its namespace', () =>
    client.workflowService.describeNamespace({ namespace }),
  );
  return `namespace ${namespaceInfo?.id ?? ''}/${namespace}`;
}
