/** The connections of one store: few, used again, and fewer where the server wants that. */
import { asError } from '../lib/as-error.js';
import type { StorePace } from '../store.js';
import type { FtpConfig } from './config.js';
import { isTooMany } from './errors.js';
import { signIn, type Session } from './login.js';

/** What servers of strangers take from one address; many allow no more than this. */
export const MAX_CONNECTIONS = 4;

/** Servers end connections that nobody uses, often after a minute: before that they are ended here. */
const IDLE_MS = 15_000;

/** Hands connections out and takes them back. */
export class FtpPool {
  private readonly idle: Session[] = [];
  private readonly all = new Set<Session>();
  private readonly timers = new Map<Session, NodeJS.Timeout>();
  private readonly turns = new Set<() => void>();
  private readonly closing = new AbortController();
  private opening = 0;
  private limit = MAX_CONNECTIONS;

  constructor(
    private readonly config: FtpConfig,
    private readonly pace: StorePace | undefined,
  ) {}

  /** A connection of one's own, until it is given back or destroyed. */
  async lease(signal: AbortSignal | undefined): Promise<Session> {
    await this.pace?.beforeRequest(signal);
    for (;;) {
      signal?.throwIfAborted();
      this.closing.signal.throwIfAborted();
      const session = this.idle.pop();
      if (session !== undefined) {
        clearTimeout(this.timers.get(session));
        if (session.connection.isUsable) return session;
        session.connection.destroy(new Error('it was closed while nobody used it'));
        continue;
      }
      if (this.all.size + this.opening >= this.limit) {
        await this.turn(signal);
        continue;
      }
      const opened = await this.open(signal);
      if (opened !== undefined) return opened;
    }
  }

  /** Gives a connection back; one that is not at rest is ended. */
  release(session: Session): void {
    if (this.closing.signal.aborted) session.connection.quit();
    else if (!session.connection.isUsable) session.connection.destroy(new Error('not at rest'));
    else {
      this.idle.push(session);
      const timer = setTimeout(() => session.connection.quit(), IDLE_MS).unref();
      this.timers.set(session, timer);
      this.wake();
    }
  }

  /** Ends all connections, those in use too. */
  close(): void {
    if (this.closing.signal.aborted) return;
    this.closing.abort(new Error('the store was closed'));
    for (const session of [...this.idle]) session.connection.quit();
    for (const session of [...this.all])
      session.connection.destroy(asError(this.closing.signal.reason));
    this.wake();
  }

  /** Undefined: the server takes no more of them than there are. */
  private async open(signal: AbortSignal | undefined): Promise<Session | undefined> {
    this.opening += 1;
    const both = signal ? AbortSignal.any([signal, this.closing.signal]) : this.closing.signal;
    try {
      const session = await signIn(this.config, both);
      this.all.add(session);
      session.connection.onGone = () => this.forget(session);
      return session;
    } catch (error) {
      // Those that are open go on; nothing failed.
      if (isTooMany(error) && this.all.size > 0) {
        this.limit = this.all.size;
        return undefined;
      }
      throw error;
    } finally {
      this.opening -= 1;
      this.wake();
    }
  }

  private forget(session: Session): void {
    clearTimeout(this.timers.get(session));
    this.timers.delete(session);
    this.all.delete(session);
    const at = this.idle.indexOf(session);
    if (at >= 0) this.idle.splice(at, 1);
    this.wake();
  }

  /** Resolves when something has changed. */
  private turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        signal?.removeEventListener('abort', go);
        this.turns.delete(go);
        resolve();
      };
      signal?.addEventListener('abort', go, { once: true });
      this.turns.add(go);
    });
  }

  private wake(): void {
    for (const go of [...this.turns]) go();
  }
}
