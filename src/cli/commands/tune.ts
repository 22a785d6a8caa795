/** `waybill tune [id]`: changes how fast a running pull may go. */
import type { Config } from '../../config.js';
import { WaybillError } from '../../model/errors.js';
import type { PullLimits } from '../../model/pull.js';
import type { CommandContext } from '../context.js';
import { limitsText } from '../limits-text.js';
import { findRunningPull, sayTo } from '../find-pull.js';
import { openSession } from '../session.js';

const FLAGS = ['concurrency', 'max-bandwidth', 'requests-per-second', 'give-up-after'] as const;

/** What the flags of this command line say; settings from elsewhere are for pulls that start. */
function limitsOf(config: Config): PullLimits {
  const said = (name: (typeof FLAGS)[number]): number | null | undefined => {
    const setting = config.settings.get(name);
    if (setting?.origin !== `--${name}`) return undefined;
    return typeof setting.value === 'number' ? setting.value : null;
  };
  const [concurrency, maxBytesPerSecond, maxRequestsPerSecond, giveUpAfterMs] = FLAGS.map(said);
  return {
    ...(typeof concurrency === 'number' ? { concurrency } : {}),
    ...(maxBytesPerSecond === undefined ? {} : { maxBytesPerSecond }),
    ...(maxRequestsPerSecond === undefined ? {} : { maxRequestsPerSecond }),
    ...(giveUpAfterMs === undefined ? {} : { giveUpAfterMs }),
  };
}

/** Runs the command. */
export async function runTune(
  { config, output }: CommandContext,
  [wanted]: readonly (string | undefined)[],
): Promise<number> {
  const limits = limitsOf(config);
  if (Object.keys(limits).length === 0) {
    throw new WaybillError(
      'WB_USAGE',
      'tune what? --concurrency N, --max-bandwidth 200MiB/s, --requests-per-second N or --give-up-after 15m',
    );
  }
  const session = await openSession({ config, onProgress: (line) => output.say(line) });
  try {
    const { client } = session;
    const found = await findRunningPull(client, wanted, 'tune');
    const { pullId, destination } = found;
    await sayTo(client, found, 'tune', (id) => client.tune(id, limits));
    if (output.isJson) output.jsonResult({ pullId, destination, did: 'tune', limits });
    else output.say(`${pullId} (${destination}) goes on with ${limitsText(limits)}.`);
    return 0;
  } finally {
    await session.close();
  }
}
