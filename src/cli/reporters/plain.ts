/** A line every few seconds, where there is no terminal: logs of a build, of a container. */
import { waitsForWorker, type PullResult, type PullStatus } from '../../model/pull.js';
import { formatBytes, formatCount, formatDuration, formatRate } from '../../model/sizes.js';
import type { PullEvent } from '../events.js';
import type { Output } from '../output.js';
import {
  addStatus,
  emptyView,
  knowsBytes,
  remainingMs,
  stillMs,
  viewRate,
  type View,
} from '../progress/view.js';
import { Remarks, startedText } from './event-text.js';
import { tellResult, tellStopped } from './final.js';
import type { Looks, PullLabel, Reporter, Stopped } from './reporter.js';

/** A line at least this far apart while the phase stays the same. */
const LINE_MS = 5_000;

/** A line, or that a file has failed, may come so late. */
const LOOKS: Looks = { firstAfterMs: 400, everyMs: 1_000 };

/** Nothing is told before the end: only whether anything works on the pull is of interest. */
const QUIET_LOOKS: Looks = { firstAfterMs: 2_000, everyMs: 2_000 };

/** Retries and failures that get a line of their own; after that the counts tell. */
const MAX_REMARKS = 100;

/** One line about how far a pull is. */
export function progressLine(view: View, nowMs: number): string {
  const progress = view.status?.progress;
  if (!progress) return `starting the pull of ${view.source}`;
  const { phase, reason, filesDone, filesPlanned, bytesDone, bytesPlanned } = progress;
  if (phase === 'resolving') return `resolving ${view.source}`;
  if (phase === 'listing') {
    return `listing: ${formatCount(filesPlanned, 'file')}, ${formatBytes(bytesPlanned)} so far`;
  }
  const label = reason === undefined ? phase : `${phase} (${reason})`;
  if (filesPlanned === 0) {
    if (phase === 'blocked') return label;
    // While it starts, that no worker answers is no news.
    if (phase === 'waiting for a worker') return waitsForWorker(reason) ? phase : label;
  }
  const parts = [
    (knowsBytes(progress)
      ? `${formatBytes(bytesDone)} of ${formatBytes(bytesPlanned)}`
      : formatBytes(bytesDone)) + (progress.isPlanComplete ? '' : ' so far'),
    `${filesDone.toLocaleString('en-US')} of ${formatCount(filesPlanned, 'file')}`,
  ];
  if (progress.filesFailed > 0) parts.push(`${progress.filesFailed} failed`);
  if (progress.retries > 0) parts.push(`retries: ${progress.retries}`);
  const rate = viewRate(view, nowMs);
  const still = stillMs(view, nowMs);
  if (still !== undefined) parts.push(`nothing for ${formatDuration(still)}`);
  else if (rate !== undefined && phase === 'fetching') parts.push(formatRate(rate));
  const left = remainingMs(view, nowMs);
  if (left !== undefined) parts.push(`${formatDuration(left)} left`);
  return `${label}: ${parts.join(', ')}`;
}

/** Writes lines to stderr. */
export class PlainReporter implements Reporter {
  readonly looks: Looks;
  private view: View;
  private lastLine = { atMs: 0, phase: '', reason: '' };
  private readonly remarks = new Remarks(MAX_REMARKS);

  constructor(
    private readonly output: Output,
    source: string,
  ) {
    this.view = emptyView(source);
    this.looks = output.isQuiet ? QUIET_LOOKS : LOOKS;
  }

  prelude(line: string): void {
    this.output.say(line);
  }

  started(label: PullLabel): void {
    this.output.say(startedText(label));
    this.lastLine = { atMs: performance.now(), phase: '', reason: '' };
  }

  update(status: PullStatus, events: readonly PullEvent[]): void {
    const nowMs = performance.now();
    this.view = addStatus(this.view, status, nowMs);
    for (const text of this.remarks.of(events)) this.output.say(text);
    const { phase, reason = '' } = status.progress;
    const isNews = (reason !== '' && this.lastLine.reason !== reason) || this.lastLine.atMs === 0;
    if (phase === 'done' || (!isNews && nowMs - this.lastLine.atMs < LINE_MS)) return;
    this.lastLine = { atMs: nowMs, phase, reason };
    this.output.say(progressLine(this.view, nowMs));
  }

  remark(text: string): void {
    this.output.say(text);
  }

  finish(result: PullResult, label: PullLabel): void {
    tellResult(this.output, result, label);
  }

  stopped(stopped: Stopped): void {
    tellStopped(this.output, stopped);
  }

  close(): void {
    // Nothing was taken.
  }
}
