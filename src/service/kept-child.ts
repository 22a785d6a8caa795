/** A child process that is started again whenever it dies. */
import type { ChildProcess } from 'node:child_process';
import { endProcess, identifyProcess, type ProcessIdentity } from './process-identity.js';

export type ChildState = 'starting' | 'ready' | 'restarting' | 'stopped';

export interface KeptChildOptions {
  /** Starts the process once. */
  readonly spawn: () => ChildProcess;
  /** It was started, or has ended: the record of the service is out of date. */
  readonly onChange: () => void;
  /** It was started, the first time or again. */
  readonly onStarted?: () => void;
  /** What has to be seen to before it is started again. Where it fails, that is logged, and the start tried. */
  readonly beforeRestart?: () => Promise<void>;
  readonly log: (line: string) => void;
  readonly name: string;
}

/** A process that lived for less than this died quickly. */
const QUICK_MS = 10_000;
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 30_000;

/**
 * How long to wait before the next start.
 * @param quickDeaths how often in a row it died within ten seconds of its start: none or one, at once
 */
export function restartDelayMs(quickDeaths: number): number {
  if (quickDeaths <= 1) return 0;
  return Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (quickDeaths - 2));
}

export class KeptChild {
  #child: ChildProcess | undefined;
  #identity: ProcessIdentity | undefined;
  #state: ChildState = 'stopped';
  #timer: NodeJS.Timeout | undefined;
  #startedAtMs = 0;
  #quickDeaths = 0;
  #restarts = 0;
  #lastExit: string | undefined;

  constructor(private readonly options: KeptChildOptions) {}

  get process(): ChildProcess | undefined {
    return this.#child;
  }
  get identity(): ProcessIdentity | undefined {
    return this.#identity;
  }
  get state(): ChildState {
    return this.#state;
  }
  get restarts(): number {
    return this.#restarts;
  }
  get lastExit(): string | undefined {
    return this.#lastExit;
  }

  /** Starts it, and from now on whenever it dies. */
  start(): void {
    const child = this.options.spawn();
    this.#state = 'starting';
    this.#startedAtMs = performance.now();
    this.#child = child;
    this.#identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
    child.once('error', (error) => this.#ended(child, error.message));
    child.once('exit', (code, signal) => {
      this.#ended(child, signal === null ? `exit code ${code}` : `signal ${signal}`);
    });
    this.options.onChange();
    this.options.onStarted?.();
  }

  /** It does what it is for; called by whoever can tell. */
  markReady(): void {
    // Its last words may come while it is being ended: they must not bring it back.
    if (this.#child === undefined || this.#state === 'stopped') return;
    this.#state = 'ready';
    this.options.onChange();
  }

  /** Ends it with SIGKILL, so that it is started again. */
  async restart(why: string): Promise<void> {
    if (this.#identity === undefined) return;
    this.options.log(`${this.options.name} is ended: ${why}`);
    await endProcess(this.#identity, 0);
  }

  /** Ends it for good: SIGTERM, after the grace time SIGKILL. */
  async stop(graceMs: number): Promise<void> {
    clearTimeout(this.#timer);
    this.#state = 'stopped';
    const child = this.#child;
    if (child === undefined || this.#identity === undefined) return;
    // The process is gone a moment before its exit code is known here.
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    await endProcess(this.#identity, graceMs);
    await exited;
  }

  #ended(child: ChildProcess, how: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#identity = undefined;
    this.#lastExit = how;
    if (this.#state === 'stopped') return;
    this.#state = 'restarting';
    const isQuick = performance.now() - this.#startedAtMs < QUICK_MS;
    this.#quickDeaths = isQuick ? this.#quickDeaths + 1 : 0;
    const delayMs = restartDelayMs(this.#quickDeaths);
    this.options.log(`${this.options.name} ended (${how}); starting it again in ${delayMs} ms`);
    this.options.onChange();
    this.#timer = setTimeout(() => void this.#startAgain(), delayMs);
  }

  async #startAgain(): Promise<void> {
    try {
      await this.options.beforeRestart?.();
    } catch (error) {
      this.options.log(`${this.options.name}: ${String(error)}`);
    }
    if (this.#state !== 'restarting') return;
    this.#restarts += 1;
    this.start();
  }
}
