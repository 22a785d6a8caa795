/** What this process does at one source host: its pulls there, what they bring, and how many connections they may have. */
import { asWaybillError } from '../../model/errors.js';
import type { StoreAddress } from '../../stores/store.js';
import type { Cell } from '../thread/cell.js';
import { ConcurrencyController, type Decision, type Refusals } from './controller.js';
import { shareOut } from './shares.js';

/** How often it is looked at what came. */
const LOOK_MS = 250;
/** While a fresh pull is doubling. */
const QUICK_LOOK_MS = 20;

/** Decisions that are kept for people. */
const KEPT_DECISIONS = 3;

/** A host that was left alone for so long is a new one. As long as an idle service stays. */
const KNOWN_FOR_MS = 5 * 60_000;

/** A pull at this host. */
export interface HostUser {
  /** The most connections that it may have here, at most `declared`. */
  readonly cap: number;
  /** What the store says is polite for all together. */
  readonly declared: number;
  /** Whether it uses all that it has, and wants more. */
  readonly isBusy: boolean;
  /** Gives it its part. */
  allow(connections: number): void;
}

/** What people get to see. It changes as it goes. */
export interface ConcurrencyNote {
  /** Connections that this worker may have at the source now. */
  connections: number;
  /** The last decisions, the latest first. */
  decisions: readonly { readonly atMs: number; readonly text: string }[];
}

/** The last part of `Refusals`, while it is counted. */
type Counts = { -readonly [Name in keyof Refusals]: number };

/** One host. */
export class SourceHost {
  readonly note: ConcurrencyNote = { connections: 0, decisions: [] };
  private controller = new ConcurrencyController(1);
  private isKnown = false;
  private readonly users = new Set<HostUser>();
  private readonly cells = new Set<Cell>();
  private finished = { bytes: 0, files: 0 };
  private requests = 0;
  private refusals: Counts = { throttled: 0, timedOut: 0, unavailable: 0 };
  private timer: NodeJS.Timeout | undefined;
  private leftAtMs = performance.now();

  /** Nobody is here, nor was for a while. */
  get isForgotten(): boolean {
    return this.users.size === 0 && performance.now() - this.leftAtMs > KNOWN_FOR_MS;
  }

  /** A pull works here until it leaves. */
  join(user: HostUser): void {
    if (!this.isKnown || this.isForgotten) {
      this.controller = new ConcurrencyController(capOf([user]));
      this.note.decisions = [];
    }
    this.isKnown = true;
    this.controller.forgetRate();
    this.users.add(user);
    this.recount();
    this.timer ??= setTimeout(() => this.look(), QUICK_LOOK_MS);
  }

  leave(user: HostUser): void {
    this.users.delete(user);
    if (this.users.size > 0) {
      this.recount();
      return;
    }
    clearTimeout(this.timer);
    this.timer = undefined;
    this.leftAtMs = performance.now();
  }

  /** The cap of a pull has changed. */
  recount(): void {
    this.decide(this.controller.setCap(capOf([...this.users])));
    this.deal();
  }

  /** Counts what comes into a cell until the answer is called. */
  watch(cell: Cell): () => void {
    this.cells.add(cell);
    return () => {
      if (!this.cells.delete(cell)) return;
      this.finished.bytes += cell.bytes;
      this.finished.files += cell.files;
    };
  }

  /** A whole file or a range came well. */
  answered(): void {
    this.requests += 1;
  }

  /** A request has failed. Counts where fewer at once might have helped. */
  failed(error: unknown): void {
    const { code, retryable, scope, retryAfterMs } = asWaybillError(error);
    if (!retryable || scope === 'destination') return;
    if (code === 'WB_RATE_LIMITED') this.refusals.throttled += 1;
    else if (code === 'WB_UNAVAILABLE' && retryAfterMs !== undefined) this.refusals.throttled += 1;
    else if (code === 'WB_TIMEOUT') this.refusals.timedOut += 1;
    else if (code === 'WB_UNAVAILABLE') this.refusals.unavailable += 1;
    else return;
    // At once: what else is under way asks for the next file in this moment.
    this.takeALook();
  }

  private look(): void {
    this.takeALook();
    this.timer = setTimeout(() => this.look(), this.controller.isQuick ? QUICK_LOOK_MS : LOOK_MS);
  }

  private takeALook(): void {
    const cells = [...this.cells];
    const { refusals } = this;
    this.refusals = { throttled: 0, timedOut: 0, unavailable: 0 };
    const decision = this.controller.look({
      atMs: performance.now(),
      bytes: cells.reduce((sum, cell) => sum + cell.bytes, this.finished.bytes),
      files: cells.reduce((sum, cell) => sum + cell.files, this.finished.files),
      requests: this.requests,
      isBusy: [...this.users].some((user) => user.isBusy),
      refusals,
    });
    this.decide(decision);
    if (decision !== undefined) this.deal();
  }

  private decide(decision: Decision | undefined): void {
    this.note.connections = this.controller.limit;
    if (decision === undefined) return;
    const { from, to, why } = decision;
    const text = `${from} to ${to} connections: ${why}`;
    this.note.decisions = [{ atMs: Date.now(), text }, ...this.note.decisions].slice(
      0,
      KEPT_DECISIONS,
    );
  }

  private deal(): void {
    const users = [...this.users];
    const parts = shareOut(
      this.controller.limit,
      users.map(({ cap }) => cap),
    );
    for (const [index, user] of users.entries()) user.allow(parts[index] ?? 1);
  }
}

/** All together keep to what the store has declared. */
function capOf(users: readonly HostUser[]): number {
  const wanted = users.reduce((sum, { cap }) => sum + cap, 0);
  return Math.max(1, Math.min(wanted, ...users.map(({ declared }) => declared)));
}

/** The hosts that this process knows. */
export class SourceHosts {
  private readonly known = new Map<string, SourceHost>();

  /** The host that an address is at: one store, one server, one set of non-secret settings. */
  of({ uri, settings }: StoreAddress): SourceHost {
    for (const [key, host] of this.known) if (host.isForgotten) this.known.delete(key);
    const key = JSON.stringify([/^[^:]*:(\/\/[^/?#]*)?/.exec(uri)?.[0] ?? uri, settings]);
    const host = this.known.get(key) ?? new SourceHost();
    this.known.set(key, host);
    return host;
  }
}
