/** NDJSON on stdout: one event a line, the result last. */
import type { PullResult, PullStatus } from '../../model/pull.js';
import { EVENT_VERSION, progressEvent, resultEvent, type PullEvent } from '../events.js';
import type { Subject } from '../context.js';
import type { Output } from '../output.js';
import { addStatus, emptyView, viewRate, type View } from '../progress/view.js';
import { tellFailures } from './final.js';
import { OFTEN, type Logs, type PullLabel, type Reporter, type Stopped } from './reporter.js';

const PROGRESS_MS = 1_000;

/** Writes events. */
export class JsonReporter implements Reporter {
  readonly looks = OFTEN;
  private view: View;
  private lastProgressMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly output: Output,
    source: string,
    private readonly subject: Subject,
  ) {
    this.view = emptyView(source);
  }

  prelude(line: string): void {
    this.write({ type: 'remark', text: line });
  }

  started(label: PullLabel): void {
    const { pullId, source, destination, joined, temporal } = label;
    Object.assign(this.subject, { pullId, destination });
    this.write({ type: 'started', source, destination, joined, temporal });
  }

  update(status: PullStatus, events: readonly PullEvent[]): void {
    const nowMs = performance.now();
    this.view = addStatus(this.view, status, nowMs);
    for (const event of events) this.write(event);
    if (status.state !== 'running' || nowMs - this.lastProgressMs < PROGRESS_MS) return;
    // A reader that stands still wants what happened; how far it was is old by then.
    if (this.output.isBehind) return;
    this.lastProgressMs = nowMs;
    this.write(progressEvent(status, viewRate(this.view, nowMs)));
  }

  remark(text: string): void {
    this.write({ type: 'remark', text });
  }

  finish(result: PullResult, logs: Logs = {}): void {
    this.write({ ...resultEvent(result) });
    tellFailures(this.output, result, logs);
  }

  stopped({ exitCode, code, lines, destination }: Stopped): void {
    this.write({
      type: 'result',
      ok: code === null,
      exitCode,
      code,
      message: lines.join(' '),
      destination,
      treeDigest: null,
      failures: [],
    });
  }

  close(): void {
    // Nothing was taken.
  }

  private write(event: PullEvent | ({ readonly type: 'result' } & Record<string, unknown>)): void {
    const { type, ...rest } = event;
    // The result is the last line, whatever comes after it.
    if (this.subject.hasResult) return;
    this.subject.hasResult = type === 'result';
    this.output.json({
      v: EVENT_VERSION,
      type,
      time: new Date().toISOString(),
      pullId: this.subject.pullId,
      ...rest,
    });
  }
}
