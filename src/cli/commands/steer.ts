/** `waybill pause|resume|cancel|retry [id]`. */
import type { PullSummary, WaybillClient } from '../../client.js';
import { WaybillError } from '../../model/errors.js';
import type { CommandContext, CommandFunction } from '../context.js';
import { findPull, hasEnded, pathMeant, sayTo, withWayOn } from '../find-pull.js';
import { restartFromRecord } from '../restart.js';
import { openSession, type Session } from '../session.js';

/** The pull that was meant. */
interface Steered {
  readonly pullId: string;
  readonly destination: string;
  /** It was found running; undefined where it was started again just now. */
  readonly running?: PullSummary;
}

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

/** Verbs that go on with a pull; for them one that ended early, or that Temporal has forgotten, is started again. */
const GOES_ON: readonly Verb[] = ['resume', 'retry'];

/**
 * The pull that a verb is for. Going on with one that is over but not done, or that Temporal has forgotten, is starting
 * it again from its destination's record (rule 5).
 */
async function findOrRestart(
  session: Pick<Session, 'client' | 'isLocal'>,
  verb: Verb,
  wanted: string | undefined,
): Promise<Steered> {
  let found: PullSummary;
  try {
    found = await findPull(session.client, wanted);
  } catch (error) {
    const path = wanted === undefined || !session.isLocal ? undefined : pathMeant(wanted);
    const isUnknown = error instanceof WaybillError && error.code === 'WB_NOT_FOUND';
    if (!GOES_ON.includes(verb)) throw await withWayOn(error, wanted);
    if (path === undefined || !isUnknown) throw error;
    const { pullId } = await restartFromRecord(session, path);
    return { pullId, destination: path };
  }
  const { pullId, destination, state } = found;
  if (state === 'running') return { pullId, destination, running: found };
  if (state === 'done' || !session.isLocal || !GOES_ON.includes(verb)) throw hasEnded(found, verb);
  const again = await restartFromRecord(session, destination, pullId);
  return { pullId: again.pullId, destination };
}

/** The command of a verb. A pull that is done, or has ended and is to be paused or cancelled, is WB_USAGE. */
export function steer(verb: Verb): CommandFunction {
  return async ({ config, output }: CommandContext, [wanted]) => {
    const session = await openSession({ config, onProgress: (line) => output.say(line) });
    try {
      const { client } = session;
      const { pullId, destination, running } = await findOrRestart(session, verb, wanted);
      if (running !== undefined) await sayTo(client, running, verb, (id) => act(client, verb, id));
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
