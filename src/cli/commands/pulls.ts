/** `waybill pulls`: all pulls that Temporal knows, latest first. */
import type { CommandContext } from '../context.js';
import { openSession } from '../session.js';
import { formatColumns } from '../table.js';

/** `2026-11-21 13:05` in local time. */
function shortTime(iso: string): string {
  const time = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day} ${two(time.getHours())}:${two(time.getMinutes())}`;
}

/** Prints one line a pull. */
export async function runPulls({ config, output }: CommandContext): Promise<number> {
  const session = await openSession({ config, onProgress: (line) => output.say(line) });
  try {
    const pulls = await session.client.list({ onlyLatest: true });
    if (output.isJson) {
      output.jsonResult({ pulls });
    } else if (pulls.length === 0) {
      output.say('There is no pull yet. Start one: waybill pull SOURCE DESTINATION');
    } else if (output.isQuiet) {
      for (const { pullId } of pulls) output.rawResult(pullId);
    } else {
      const rows = pulls.map(({ pullId, state, startedAt, source, destination }) => [
        pullId,
        state,
        shortTime(startedAt),
        source,
        destination,
      ]);
      output.result(formatColumns([['id', 'state', 'started', 'source', 'destination'], ...rows]));
    }
    return 0;
  } finally {
    await session.close();
  }
}
