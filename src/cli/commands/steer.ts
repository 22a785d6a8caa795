/** `waybill pause|resume|cancel|retry [id]`. */
import type { PullSummary, WaybillClient } from '../../client.js';
import { WaybillError } from '../../model/errors.js';
import type { CommandContext, CommandFunction } from '../context.js';
import { findRunningPull, pathMeant } from '../find-pull.js';
import { restartFromRecord } from '../restart.js';
import { openSession, type Session } from '../session.js';

/** What can be done to a running pull. */
export type Verb = 'pause' | 'resume' | 'cancel' | 'retry';

const SAID: Readonly<Record<Verb, readonly [what: string, next: string]>> = {
  pause: ['stops at the next part; what is there is kept', 'Go on with: waybill resume'],
  resume: ['goes on', 'Follow it with: waybill watch'],
  cancel: ['is cancelled; what is there is kept', 'The same waybill pull command goes on with it.'],
  retry: ['tries again now', 'Follow it with: waybill watch'],
};

async function act(client: WaybillClient, verb: Verb, pullId: string): Promise<void> {
  switch (verb) {
    case 'pause':
      return client.pause(pullId);
    case 'resume':
      return client.resume(pullId);
    case 'cancel':
      return client.cancel(pullId);
    case 'retry':
      return client.retryNow(pullId);
  }
}

/** Going on with a pull that Temporal has forgotten is starting it again from its destination's record (rule 5). */
async function findOrRestart(
  { client, isLocal }: Pick<Session, 'client' | 'isLocal'>,
  verb: Verb,
  wanted: string | undefined,
): Promise<Pick<PullSummary, 'pullId' | 'destination'>> {
  try {
    return await findRunningPull(client, wanted, verb);
  } catch (error) {
    const path = wanted === undefined || !isLocal ? undefined : pathMeant(wanted);
    const isUnknown = error instanceof WaybillError && error.code === 'WB_NOT_FOUND';
    if (path === undefined || !isUnknown || (verb !== 'resume' && verb !== 'retry')) throw error;
    const { pullId } = await restartFromRecord({ client, isLocal }, path);
    return { pullId, destination: path };
  }
}

/** The command of a verb. A pull that has ended is WB_USAGE. */
export function steer(verb: Verb): CommandFunction {
  return async ({ config, output }: CommandContext, [wanted]) => {
    const session = await openSession({ config, onProgress: (line) => output.say(line) });
    try {
      const { pullId, destination } = await findOrRestart(session, verb, wanted);
      await act(session.client, verb, pullId);
      if (output.isJson) output.jsonResult({ pullId, destination, did: verb });
      else {
        const [what, next] = SAID[verb];
        output.say(`${pullId} (${destination}) ${what}.`);
        output.say(verb === 'cancel' ? next : `${next} ${pullId}`);
      }
      return 0;
    } finally {
      await session.close();
    }
  };
}
