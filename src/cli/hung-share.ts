/** Shares that do not answer: a command that looks at a path there would wait for ever, and not even Ctrl-C would end it. */
import { resolve } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { describeMount } from '../model/mount-table.js';
import { answersNow, wayTo, type Way } from '../transfer/shares.js';

/** Where a path leads, if that is a share that does not answer. */
export function hungWay(path: string): Required<Way> | undefined {
  const { share, path: there } = wayTo(resolve(path));
  return share === undefined || answersNow(share) ? undefined : { share, path: there };
}

/** Throws where a path lies on a share that does not answer: about the source WB_TIMEOUT, else WB_DESTINATION_FAILED. */
export function refuseHung(path: string, side: 'source' | 'destination'): void {
  const hung = hungWay(path);
  if (hung === undefined) return;
  throw new WaybillError(
    side === 'source' ? 'WB_TIMEOUT' : 'WB_DESTINATION_FAILED',
    `${describeMount(hung.share)} does not answer, and ${hung.path} lies on it`,
    {
      operation: 'look',
      advice: `See that its server is there, or mount it again; once \`ls ${hung.share.point}\` answers, run the same command.`,
    },
  );
}
