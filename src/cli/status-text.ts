/** One pull in full, for people. */
import type { PullStatus } from '../model/pull.js';
import { formatBytes, formatCount } from '../model/sizes.js';
import { failureLines, provenLine } from './progress/summary.js';
import { knowsBytes } from './progress/view.js';
import { limitsText } from './limits-text.js';
import { formatColumns } from './table.js';

const MAX_IN_FLIGHT = 10;

function progressRows({ progress }: PullStatus): string[][] {
  const { filesDone, filesPlanned, bytesDone, bytesPlanned, isPlanComplete } = progress;
  const soFar = isPlanComplete ? '' : ' so far, still listing';
  return [
    ['phase', progress.reason ? `${progress.phase}: ${progress.reason}` : progress.phase],
    [
      'files',
      `${filesDone.toLocaleString('en-US')} of ${formatCount(filesPlanned, 'file')}${soFar}` +
        (progress.filesKept > 0 ? `, ${progress.filesKept} already here` : '') +
        (progress.filesFailed > 0 ? `, ${progress.filesFailed} failed` : ''),
    ],
    [
      'bytes',
      knowsBytes(progress)
        ? `${formatBytes(bytesDone)} of ${formatBytes(bytesPlanned)}${soFar}`
        : formatBytes(bytesDone),
    ],
    ...(progress.limits === undefined ? [] : [['limits', limitsText(progress.limits)]]),
    ...(progress.retries > 0 ? [['retries', String(progress.retries)]] : []),
  ];
}

/** The connections of each worker, with the reasons of the last changes. */
function concurrencyLines({ concurrency = [] }: PullStatus): string[] {
  return concurrency.flatMap(({ worker, connections, decisions }) => [
    `${formatCount(connections, 'connection')} to the source${concurrency.length > 1 ? ` from ${worker}` : ''}`,
    ...decisions.map(({ time, text }) => `  ${time.slice(11, 19)}  ${text}`),
  ]);
}

/** What to type next for a pull in this state. */
function nextStep(status: PullStatus): string | undefined {
  const { pullId, progress } = status;
  if (status.state !== 'running') return undefined;
  if (progress.phase === 'paused') return `Go on with: waybill resume ${pullId}`;
  if (progress.phase === 'blocked') return `Try again at once with: waybill retry ${pullId}`;
  return `Follow it with: waybill watch ${pullId}`;
}

/** The lines of `waybill status`. `page` is the address of the pull in Temporal's pages, if known. */
export function statusText(status: PullStatus, page: string | undefined): string {
  const rows = [
    ['pull', status.pullId],
    ['state', status.state],
    ['source', status.source],
    ['destination', status.destination],
    ['started', status.progress.startedAt],
    ...(status.state === 'running' ? progressRows(status) : []),
    ...(page === undefined ? [] : [['Temporal', page]]),
  ];
  const lines = [formatColumns(rows)];
  const flying = status.inFlight.slice(0, MAX_IN_FLIGHT);
  if (flying.length > 0) {
    lines.push(
      'in flight:',
      formatColumns(
        flying.map(({ name, bytesDone, bytesTotal, attempt, lastFailure }) => [
          `  ${name}`,
          `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`,
          attempt > 1 ? `try ${attempt}${lastFailure === undefined ? '' : `: ${lastFailure}`}` : '',
        ]),
      ),
    );
  }
  lines.push(...concurrencyLines(status));
  const { result } = status;
  if (result) lines.push(...failureLines(result), provenLine(result));
  const next = nextStep(status);
  if (next !== undefined) lines.push(next);
  return lines.join('\n');
}
