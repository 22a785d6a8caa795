/** How fast a pull may go, in memory that all threads share: bytes, requests and connections, changed at any moment. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StorePace } from '../../stores/store.js';
import type { Cell } from './cell.js';

const SLOTS = 8;
const GENERATION = 0;
const BYTES_PER_SECOND = 1;
const NEXT_BYTE_NS = 2;
/** In thousandths: half a request a second is a limit too. */
const MILLI_REQUESTS_PER_SECOND = 3;
const NEXT_REQUEST_NS = 4;
const CONNECTIONS = 5;
const CONNECTIONS_IN_USE = 6;
const HELD_MS = 7;

const SECOND_NS = 1_000_000_000n;

/** What was not used for a moment may be caught up: timers fire late, and the rate is to be met all the same. */
const CATCH_UP_NS = 200_000_000n;

/** A wait looks up so often: a limit may have been lifted, a pull stopped. */
const LOOK_MS = 50;

/** The least that is read at once. */
const LEAST_QUANTUM = 512;

/** The limits of one pull in one process, or of all that it does for a site; absent: none. */
export interface PaceLimits {
  readonly bytesPerSecond?: number | undefined;
  readonly requestsPerSecond?: number | undefined;
}

/** The pace of a pull as a task carries it; `id` tells pulls apart that read the same source. */
export interface TaskPace {
  readonly id: string;
  readonly memory: SharedArrayBuffer;
  /** What all pulls of this process keep to together; absent: nothing. */
  readonly common?: SharedArrayBuffer;
}

/** Time as a pace knows it; only tests have another. */
export interface PaceClock {
  nowNs(): bigint;
  sleep(ms: number): Promise<unknown>;
}

const MACHINE_CLOCK: PaceClock = { nowNs: () => process.hrtime.bigint(), sleep };

/** The pace of one pull. `memory` crosses to threads; the clock is the machine's monotonic one, the same in all. */
export class Pace implements StorePace {
  private readonly slots: BigInt64Array;

  constructor(
    readonly memory: SharedArrayBuffer = new SharedArrayBuffer(SLOTS * 8),
    private readonly clock: PaceClock = MACHINE_CLOCK,
  ) {
    this.slots = new BigInt64Array(memory);
  }

  /** Changes the limits; whoever waits for the old ones goes on at once. */
  set(limits: PaceLimits): void {
    this.store(BYTES_PER_SECOND, limits.bytesPerSecond, 1);
    this.store(MILLI_REQUESTS_PER_SECOND, limits.requestsPerSecond, 1_000);
    Atomics.store(this.slots, NEXT_BYTE_NS, 0n);
    Atomics.store(this.slots, NEXT_REQUEST_NS, 0n);
    Atomics.add(this.slots, GENERATION, 1n);
  }

  /** How many connections there may be; those in use above it end with what they are at. */
  allow(connections: number): void {
    Atomics.store(this.slots, CONNECTIONS, BigInt(connections));
  }

  /** No further connection is to be had. */
  get isFull(): boolean {
    return Atomics.load(this.slots, CONNECTIONS_IN_USE) >= Atomics.load(this.slots, CONNECTIONS);
  }

  /** Milliseconds that bytes and requests were held back, all told. */
  get heldMs(): number {
    return Number(Atomics.load(this.slots, HELD_MS));
  }

  /** Many small turns instead of few long ones: with a low limit a socket shall not be silent for minutes. */
  quantumBytes(): number {
    const rate = Number(Atomics.load(this.slots, BYTES_PER_SECOND));
    return rate === 0 ? Number.MAX_SAFE_INTEGER : Math.max(LEAST_QUANTUM, Math.ceil(rate / 64));
  }

  afterBytes(count: number): Promise<void> | undefined {
    const rate = Atomics.load(this.slots, BYTES_PER_SECOND);
    if (rate === 0n) return undefined;
    const [, end] = this.book(NEXT_BYTE_NS, (BigInt(count) * SECOND_NS) / rate);
    if (end <= this.clock.nowNs()) return undefined;
    return this.until(end, () => false);
  }

  /** Waits until another request may be sent. Rejects with the signal's reason. */
  async beforeRequest(signal?: AbortSignal): Promise<void> {
    const rate = Atomics.load(this.slots, MILLI_REQUESTS_PER_SECOND);
    if (rate === 0n) return;
    const [start] = this.book(NEXT_REQUEST_NS, (1_000n * SECOND_NS) / rate);
    await this.until(start, () => signal?.aborted === true);
    signal?.throwIfAborted();
  }

  /** Waits for one of the allowed connections; false: it was stopped, or is needed no more, and none was taken. */
  async takeConnection(cell: Cell, isOver = (): boolean => false): Promise<boolean> {
    for (;;) {
      if (cell.isStopped || isOver()) return false;
      if (this.tryConnection()) return true;
      await this.clock.sleep(LOOK_MS);
      cell.addHeldMs(LOOK_MS);
    }
  }

  /** Takes one of the allowed connections if one is free. */
  tryConnection(): boolean {
    for (;;) {
      const used = Atomics.load(this.slots, CONNECTIONS_IN_USE);
      if (used >= Atomics.load(this.slots, CONNECTIONS)) return false;
      if (this.swap(CONNECTIONS_IN_USE, used, used + 1n)) return true;
    }
  }

  /** After a thread has died, nobody gives back what it had. */
  forgetConnections(): void {
    Atomics.store(this.slots, CONNECTIONS_IN_USE, 0n);
  }

  giveConnection(): void {
    Atomics.sub(this.slots, CONNECTIONS_IN_USE, 1n);
  }

  private store(slot: number, value: number | undefined, factor: number): void {
    const whole = value === undefined ? 0 : Math.max(1, Math.round(value * factor));
    Atomics.store(this.slots, slot, BigInt(whole));
  }

  private swap(slot: number, from: bigint, to: bigint): boolean {
    return Atomics.compareExchange(this.slots, slot, from, to) === from;
  }

  /** Books so much time on a shared calendar, behind what is booked already; answers where it starts and ends. */
  private book(slot: number, lengthNs: bigint): readonly [start: bigint, end: bigint] {
    for (;;) {
      const booked = Atomics.load(this.slots, slot);
      const earliest = this.clock.nowNs() - CATCH_UP_NS;
      const start = booked > earliest ? booked : earliest;
      if (this.swap(slot, booked, start + lengthNs)) return [start, start + lengthNs];
    }
  }

  private async until(atNs: bigint, isOver: () => boolean): Promise<void> {
    const generation = Atomics.load(this.slots, GENERATION);
    for (;;) {
      const leftMs = Number(atNs - this.clock.nowNs()) / 1_000_000;
      if (leftMs <= 0 || isOver()) return;
      if (Atomics.load(this.slots, GENERATION) !== generation) return;
      const sliceMs = Math.min(leftMs, LOOK_MS);
      await this.clock.sleep(sliceMs);
      Atomics.add(this.slots, HELD_MS, BigInt(Math.ceil(sliceMs)));
    }
  }
}

/** A pace inside another one: both are kept. */
class NestedPace implements StorePace {
  constructor(private readonly paces: readonly Pace[]) {}

  async beforeRequest(signal?: AbortSignal): Promise<void> {
    for (const pace of this.paces) await pace.beforeRequest(signal);
  }

  quantumBytes(): number {
    return Math.min(...this.paces.map((pace) => pace.quantumBytes()));
  }

  afterBytes(count: number): Promise<void> | undefined {
    const waits = this.paces.flatMap((pace) => pace.afterBytes(count) ?? []);
    if (waits.length === 0) return undefined;
    return Promise.all(waits).then(() => undefined);
  }
}

/** What a store keeps to. */
export function storePaceOf({ memory, common }: TaskPace): StorePace {
  const pace = new Pace(memory);
  return common === undefined ? pace : new NestedPace([pace, new Pace(common)]);
}
