/** The limits of a pull, for people. */
import type { PullLimits } from '../model/pull.js';
import { formatCount, formatDuration, formatRate } from '../model/sizes.js';

/** `at most 20 MB/s, 4 connections`; a limit that was lifted is said too. */
export function limitsText(limits: PullLimits): string {
  const { concurrency, maxBytesPerSecond, maxRequestsPerSecond, giveUpAfterMs } = limits;
  const parts: string[] = [];
  if (maxBytesPerSecond === null) parts.push('no limit of its bandwidth');
  else if (maxBytesPerSecond !== undefined)
    parts.push(`at most ${formatRate(maxBytesPerSecond)} over the network`);
  if (maxRequestsPerSecond === null) parts.push('no limit of its requests');
  else if (maxRequestsPerSecond !== undefined)
    parts.push(`at most ${maxRequestsPerSecond} requests a second`);
  if (concurrency !== undefined) parts.push(`at most ${formatCount(concurrency, 'connection')}`);
  if (giveUpAfterMs === null) parts.push('no end however long nothing moves');
  else if (giveUpAfterMs !== undefined)
    parts.push(`an end when nothing moved for ${formatDuration(giveUpAfterMs)}`);
  return parts.join(', ');
}
