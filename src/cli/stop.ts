/** How a person, or what runs the command, makes a pull stop: Ctrl-C, SIGTERM, the key d. */

/** Why the command leaves before the pull has ended. */
export type StopReason = 'interrupt' | 'terminate' | 'detach';

/** The exit code of a stop; leaving a pull to the background is no failure. */
export const STOP_EXIT_CODES: Readonly<Record<StopReason, number>> = {
  interrupt: 130,
  terminate: 143,
  detach: 0,
};

/** Turns signals into one wish to stop. A second one leaves the process at once. */
export class StopSwitch {
  /** Aborted at the first wish; its reason is the StopReason. */
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();

  constructor(private readonly leaveNow: (exitCode: number) => void) {
    this.signal = this.controller.signal;
    process.on('SIGINT', this.onInterrupt);
    process.on('SIGTERM', this.onTerminate);
    // A closed terminal is no wish to stop: the pull and its record go on.
    process.on('SIGHUP', ignore);
  }

  /** The wish that was made first. */
  get reason(): StopReason | undefined {
    const reason: unknown = this.signal.aborted ? this.signal.reason : undefined;
    return reason === 'interrupt' || reason === 'terminate' || reason === 'detach'
      ? reason
      : undefined;
  }

  /** Makes a wish. */
  readonly stop = (reason: StopReason): void => {
    if (this.signal.aborted) {
      if (reason !== 'detach') this.leaveNow(STOP_EXIT_CODES[reason]);
      return;
    }
    this.controller.abort(reason);
  };

  /** Gives the signals back. */
  dispose(): void {
    process.off('SIGINT', this.onInterrupt);
    process.off('SIGTERM', this.onTerminate);
    process.off('SIGHUP', ignore);
  }

  private readonly onInterrupt = (): void => this.stop('interrupt');
  private readonly onTerminate = (): void => this.stop('terminate');
}

function ignore(): void {
  // Going on is the whole point.
}
