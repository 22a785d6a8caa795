/**
 * How many connections to a source are worth having, learned from what they bring. After the optimizer of CERN's FTS: up while
 * the throughput rises and nothing is refused, down when the source refuses, and a sentence of why each time. It has no clock
 * and touches nothing: time and counts come in, a limit comes out.
 */

/** The first connections to a source that nobody knows yet. */
export const FIRST_CONNECTIONS = 4;

/** Up to here a fresh pull doubles without waiting for proof. */
export const QUICK_CONNECTIONS = 16;

/** A connection that brings less is held back by distance, not by the machine: others beside it bring as much again. */
const FAST_BYTES_PER_SECOND = 50e6;

/** So long the rate of a fresh pull is looked at, from its first byte on. */
const QUICK_LOOK_MS = 150;

/** Above that each doubling has to bring so much more, and is looked at so long, once its connections have been made. */
const CLIMB_GAIN = 1.3;
const CLIMB_LOOK_MS = 300;
const CLIMB_CONNECT_MS = 150;

/** A rate is an average over so long; the first one takes longer, for a short pull ends before and loses nothing. */
const WINDOW_MS = 1_000;
const FIRST_WINDOW_MS = 3_000;

/** More connections have to bring so much more, or they are not worth having. */
const WORTH_GAIN = 1.05;

/** What was refused or brought nothing is tried again after so long, then after twice as long. */
export const RETRY_AFTER_MS = 10_000;
const RETRY_AFTER_MAX_MS = 300_000;

/** Refusals of requests that were under way when the limit fell say nothing new. */
const SETTLE_MS = 1_000;

/** A file costs the source about as much as so many bytes: with small files, files are what there is to count. */
const BYTES_PER_FILE = 64 * 1024;

/** A request in a hundred may fail of itself: that says nothing of how many there are at once. */
const TOLERATED = 0.01;

/** Requests that are remembered for that, at most. */
const REMEMBERED = 400;

/** How requests were refused since the last look. What is refused for good (404, 403, ...) does not count. */
export interface Refusals {
  /** 429, SlowDown, 503 with Retry-After: the source asked for fewer. */
  readonly throttled: number;
  readonly timedOut: number;
  /** 5xx, refused and broken connections. */
  readonly unavailable: number;
}

/** What was seen since the last look. */
export interface Look {
  /** By a monotonic clock. */
  readonly atMs: number;
  /** All that ever came; none of them falls. */
  readonly bytes: number;
  readonly files: number;
  /** Whole files and ranges that came well. */
  readonly requests: number;
  /** All connections that are allowed are in use, and more is to be done. */
  readonly isBusy: boolean;
  readonly refusals: Refusals;
}

/** A change of the limit, and why. */
export interface Decision {
  readonly from: number;
  readonly to: number;
  readonly why: string;
}

/** A rate of the past, from where it is measured. */
type Mark = Pick<Look, 'atMs' | 'bytes' | 'files'>;

/** One source host, as one process sees it. */
export class ConcurrencyController {
  private current: number;
  /**
   * `quick`: doubling unproven; `climb`: doubling, where each step shows at once that it pays; `first`: the first rate is
   * being measured; `steady`: each step has to prove itself.
   */
  private phase: 'quick' | 'climb' | 'first' | 'steady' = 'quick';
  private mark: Mark | undefined;
  /** The connections of a step of the climb are being made: what comes meanwhile says nothing of it. */
  private isConnecting = false;
  private hasFlowed = false;
  private looks = 0;
  private busyLooks = 0;
  /** A step up that has not proved itself: from where, and what that brought. */
  private trial:
    { readonly from: number; readonly rate: number; readonly files: number } | undefined;
  /** Refused, or not worth having: not tried again before its time. */
  private ceiling: { at: number; untilMs: number; waitMs: number } | undefined;
  private fellAtMs = Number.NEGATIVE_INFINITY;
  private requestsSeen = 0;
  private good = 0;
  private bad = 0;

  /** @param cap the most that it may ever have, at least 1 */
  constructor(private cap: number) {
    this.current = Math.min(FIRST_CONNECTIONS, cap);
  }

  get limit(): number {
    return this.current;
  }

  /** Whether looks every few milliseconds help: a fresh pull is doubling. */
  get isQuick(): boolean {
    return this.isDoubling || this.phase === 'climb';
  }

  private get isDoubling(): boolean {
    return this.phase === 'quick' && this.current < Math.min(QUICK_CONNECTIONS, this.cap);
  }

  /** Changes the most that it may have. */
  setCap(cap: number): Decision | undefined {
    this.cap = cap;
    if (this.current <= cap) return undefined;
    this.trial = undefined;
    return this.change(cap, 'no more are allowed');
  }

  /** After a pause nothing is known of the rate; what was refused stays known. */
  forgetRate(): void {
    this.mark = undefined;
    this.isConnecting = false;
    this.trial = undefined;
  }

  /** Takes a look; answers what it changed. */
  look(look: Look): Decision | undefined {
    if (this.isRefused(look)) return this.stepDown(look);
    if (this.mark === undefined) return this.restart(look);
    this.looks += 1;
    if (look.isBusy) this.busyLooks += 1;
    if (this.isDoubling) return this.double(look, this.mark);
    if (this.phase === 'quick') this.phase = 'climb';
    if (this.phase === 'climb') return this.climb(look, this.mark);
    const windowMs = this.phase === 'steady' ? WINDOW_MS : FIRST_WINDOW_MS;
    return look.atMs - this.mark.atMs < windowMs ? undefined : this.judge(look, this.mark);
  }

  /** A request to be fewer always counts; other refusals do where they are many, or meet a step up. */
  private isRefused({ requests, refusals }: Look): boolean {
    const { throttled, timedOut, unavailable } = refusals;
    const others = timedOut + unavailable;
    this.good += requests - this.requestsSeen;
    this.requestsSeen = requests;
    this.bad += throttled + others;
    if (this.good + this.bad > REMEMBERED) {
      this.good /= 2;
      this.bad /= 2;
    }
    if (throttled > 0) return true;
    if (others === 0) return false;
    return this.trial !== undefined || this.bad > TOLERATED * (this.good + this.bad);
  }

  private stepDown(look: Look): Decision | undefined {
    this.phase = 'steady';
    this.restart(look);
    if (look.atMs - this.fellAtMs < SETTLE_MS) return undefined;
    this.fellAtMs = look.atMs;
    const refusedAt = this.current;
    const to = this.trial?.from ?? Math.max(1, Math.floor(refusedAt / 2));
    this.trial = undefined;
    this.shun(refusedAt, look.atMs);
    return this.change(to, refusalText(look.refusals));
  }

  /** Doubles while small files come, or while each connection is slow. */
  private double(look: Look, mark: Mark): Decision | undefined {
    if (!look.isBusy) return undefined;
    const most = Math.min(QUICK_CONNECTIONS, this.cap);
    const files = look.files - mark.files;
    if (files > 0) {
      this.restart(look);
      const to = Math.min(most, this.current + Math.min(files, this.current));
      return this.change(to, 'files come quickly and nothing was refused');
    }
    if (!this.hasFlowed) {
      // Until the first byte there is nothing to be looked at.
      this.hasFlowed = look.bytes > mark.bytes;
      return this.restart(look);
    }
    if (look.atMs - mark.atMs < QUICK_LOOK_MS) return undefined;
    const rate = rateBetween(mark, look);
    if (rate / this.current >= FAST_BYTES_PER_SECOND) {
      this.phase = 'first';
      return this.restart(look);
    }
    this.restart(look);
    const why = `a connection brought only ${rateText(rate / this.current)} and nothing was refused`;
    return this.change(Math.min(most, this.current * 2), why);
  }

  /** Goes on doubling where connections are slow; a step that does not show its worth is left to the longer windows. */
  private climb(look: Look, mark: Mark): Decision | undefined {
    const lookMs = this.isConnecting ? CLIMB_CONNECT_MS : CLIMB_LOOK_MS;
    if (look.atMs - mark.atMs < lookMs) return undefined;
    const wasBusy = this.busyLooks * 2 >= this.looks;
    const { trial, current, isConnecting } = this;
    this.isConnecting = false;
    this.restart(look);
    if (isConnecting || !wasBusy) return undefined;
    const [rate, files] = [rateBetween(mark, look), filesBetween(mark, look)];
    this.trial = undefined;
    const paid =
      trial === undefined ||
      rate >= trial.rate * CLIMB_GAIN ||
      (files > 0 && files >= trial.files * CLIMB_GAIN);
    if (!paid) {
      this.phase = 'first';
      const why = `${current} brought ${rateText(rate)} at first, ${trial.from} had brought ${rateText(trial.rate)}`;
      return this.change(trial.from, why);
    }
    const to = this.nextUp(look.atMs);
    if (rate / current >= FAST_BYTES_PER_SECOND || to <= current) {
      this.phase = 'first';
      return undefined;
    }
    this.trial = { from: current, rate, files };
    this.isConnecting = true;
    return this.change(to, `a connection brought only ${rateText(rate / current)}`);
  }

  /** At the end of a window: keeps or takes back the last step up, and tries the next. */
  private judge(look: Look, mark: Mark): Decision | undefined {
    const rate = rateBetween(mark, look);
    const wasBusy = this.busyLooks * 2 >= this.looks;
    const { trial, current } = this;
    this.phase = 'steady';
    this.trial = undefined;
    this.restart(look);
    // Nobody wanted all that is allowed: nothing was learned, and more would bring nothing.
    if (!wasBusy) return undefined;
    if (trial !== undefined && rate < trial.rate * WORTH_GAIN) {
      this.shun(current, look.atMs);
      const why = `${current} brought ${rateText(rate)}, hardly more than ${rateText(trial.rate)} before`;
      return this.change(trial.from, why);
    }
    if (trial !== undefined && this.ceiling !== undefined && current >= this.ceiling.at) {
      this.ceiling = undefined;
    }
    const to = this.nextUp(look.atMs);
    if (to <= current) return undefined;
    this.trial = { from: current, rate, files: filesBetween(mark, look) };
    const why =
      trial === undefined
        ? `nothing was refused at ${rateText(rate)}`
        : `the rate rose from ${rateText(trial.rate)} to ${rateText(rate)}`;
    return this.change(to, why);
  }

  /** The next number to try: double, or half of the way to what was refused, or one more where that is the next. */
  private nextUp(atMs: number): number {
    const { ceiling, current, cap } = this;
    const doubled = Math.min(cap, current * 2);
    if (ceiling === undefined) return doubled;
    if (atMs >= ceiling.untilMs) {
      return ceiling.at <= current + 1 ? Math.min(cap, current + 1) : doubled;
    }
    return Math.min(doubled, current + Math.floor((ceiling.at - current) / 2));
  }

  /** Keeps below a number of connections for a while, longer each time that it is the same. */
  private shun(at: number, atMs: number): void {
    const before = this.ceiling;
    const isAgain = before !== undefined && atMs >= before.untilMs && Math.abs(before.at - at) <= 1;
    const waitMs = isAgain ? Math.min(RETRY_AFTER_MAX_MS, before.waitMs * 2) : RETRY_AFTER_MS;
    this.ceiling = { at, untilMs: atMs + waitMs, waitMs };
  }

  private change(to: number, why: string): Decision | undefined {
    const from = this.current;
    if (to === from) return undefined;
    this.current = to;
    return { from, to, why };
  }

  private restart({ atMs, bytes, files }: Look): undefined {
    this.mark = { atMs, bytes, files };
    this.looks = 0;
    this.busyLooks = 0;
  }
}

/** Work a second: bytes, and files as if they had some more. */
function rateBetween(from: Mark, to: Mark): number {
  const work = to.bytes - from.bytes + (to.files - from.files) * BYTES_PER_FILE;
  return (work * 1_000) / Math.max(1, to.atMs - from.atMs);
}

function filesBetween(from: Mark, to: Mark): number {
  return ((to.files - from.files) * 1_000) / Math.max(1, to.atMs - from.atMs);
}

/** The extra for each file is in it: what is compared is said. */
function rateText(bytesPerSecond: number): string {
  return `${(bytesPerSecond / 1e6).toFixed(1)} MB/s`;
}

function refusalText({ throttled, timedOut, unavailable }: Refusals): string {
  const times = (count: number): string => (count === 1 ? 'once' : `${count} times`);
  if (throttled > 0) return `the source asked for fewer requests ${times(throttled)}`;
  if (timedOut > 0) return `the source timed out ${times(timedOut)}`;
  return `the source refused or broke off ${times(unavailable)}`;
}
