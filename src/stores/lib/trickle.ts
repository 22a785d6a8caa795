/** Bytes that come so slowly that they may as well not come: a server can keep a pull for ever with one every now and then. */
import { LEAST_BYTES_PER_SECOND } from '../../model/least-progress.js';

/** Hardly anything came for as long as a silence may be; to be taken for one. */
export class TrickleError extends Error {
  override readonly name = 'TrickleError';
  readonly code = 'UND_ERR_BODY_TIMEOUT';

  constructor(bytes: number, forMs: number) {
    super(`sent only ${bytes} bytes in ${Math.round(forMs / 100) / 10} s`);
  }
}

/** Watches how fast bytes come, without a timer: when none come, the silence is noticed elsewhere. */
export class Trickle {
  private sinceMs = performance.now();
  private bytes = 0;

  /** @param silenceMs how long a silence may be; 0: for ever */
  constructor(private readonly silenceMs: number) {}

  /** Counts bytes that came. An error: for the length of a silence there were hardly any. */
  count(bytes: number): TrickleError | undefined {
    this.bytes += bytes;
    const pastMs = performance.now() - this.sinceMs;
    if (pastMs < this.silenceMs || this.silenceMs === 0) return undefined;
    const came = this.bytes;
    this.restart();
    const least = (LEAST_BYTES_PER_SECOND * this.silenceMs) / 1_000;
    return came < least ? new TrickleError(came, pastMs) : undefined;
  }

  /** Until now it was not the sender who kept them. */
  restart(): void {
    this.sinceMs = performance.now();
    this.bytes = 0;
  }
}
