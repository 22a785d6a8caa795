/** What the service asks its worker again and again, and how long that has said nothing. */
import type { KeptChild } from './kept-child.js';
import type { Silence } from './silence.js';
import { askHowBusy } from './worker-child.js';
import type { WorkerMessage } from './worker-ipc.js';

/** A worker of a busy host: what it said before may be of a pull that has ended since. */
const BUSY_ANSWER_MS = 5_000;

export class WorkerTalk {
  /** Pulls that are open and not paused, as it was said last. */
  openPulls: number | undefined;
  private questions = 0;
  private waiting: { readonly question: number; readonly tell: () => void }[] = [];

  constructor(
    private readonly worker: KeptChild,
    private readonly silence: Silence,
  ) {}

  /** Takes what the worker said. */
  hear(message: WorkerMessage): void {
    this.silence.heard();
    if (message.type !== 'busy') return;
    this.openPulls = message.openPulls;
    const isAnswered = ({ question }: { question: number }): boolean =>
      question <= message.question;
    const answered = this.waiting.filter(isAnswered);
    this.waiting = this.waiting.filter((waiting) => !isAnswered(waiting));
    for (const { tell } of answered) tell();
  }

  /** Asks how busy it is; settles with the answer, or after some seconds without one. */
  howBusy(): Promise<void> {
    if (this.worker.state !== 'ready') return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, BUSY_ANSWER_MS);
      const tell = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.waiting.push({ question: this.ask(), tell });
    });
  }

  /** Asks, and answers the number of the question. */
  ask(): number {
    this.questions += 1;
    askHowBusy(this.worker.process, this.questions);
    return this.questions;
  }

  /** Looked at before each question: a worker that is up has said nothing for too long. The next one starts afresh. */
  isSilent(): boolean {
    const isOver = this.silence.look();
    if (isOver || this.worker.state !== 'ready') this.silence.heard();
    return isOver && this.worker.state === 'ready';
  }
}
