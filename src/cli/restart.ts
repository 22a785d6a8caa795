/** Starting a pull again from what its destination knows of it, when Temporal has lost it (rule 5). */
import type { StartedPull } from '../client.js';
import { WaybillError } from '../model/errors.js';
import type { Session } from './session.js';
import { findPullRecord } from '../transfer/pull-record.js';

/**
 * Starts it, or joins it if it runs again already.
 * @throws WaybillError WB_NOT_FOUND where there is no record of a pull that has not ended
 */
export async function restartFromRecord(
  { client, isLocal }: Pick<Session, 'client' | 'isLocal'>,
  destination: string,
  pullId?: string,
): Promise<StartedPull> {
  // A destination of a cluster is another host's folder.
  const record = isLocal ? await findPullRecord(destination, pullId) : undefined;
  if (record !== undefined) return client.startPull(record.request);
  throw new WaybillError(
    'WB_NOT_FOUND',
    `Temporal does not know the pull into ${destination}, and there is no record of an unfinished one; ` +
      'give its waybill pull command again',
    { scope: 'request' },
  );
}
