/** The pace of a pull by a clock of the test's own: a rate is exact, however many threads and workers take part in it. */
import { describe, expect, it } from '@jest/globals';
import { Pace, type PaceClock } from '../../../src/transfer/thread/pace.js';

/** Time that passes only when everybody waits. */
class SimulatedClock implements PaceClock {
  private now = 1_000_000_000_000n;
  private readonly sleepers: { readonly atNs: bigint; readonly wake: () => void }[] = [];

  nowNs(): bigint {
    return this.now;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => {
      // Timers of a real machine fire late, and never in fractions.
      const lateMs = Math.max(1, Math.ceil(ms)) + (this.sleepers.length % 3);
      this.sleepers.push({ atNs: this.now + BigInt(lateMs) * 1_000_000n, wake });
    });
  }

  /** Lets time pass until `untilNs`. */
  async run(untilNs: bigint): Promise<void> {
    for (;;) {
      // All that can go on without time has gone on by then.
      await new Promise((resolve) => setImmediate(resolve));
      this.sleepers.sort((a, b) => Number(a.atNs - b.atNs));
      const [next] = this.sleepers;
      if (next === undefined || next.atNs > untilNs) {
        this.now = untilNs;
        return;
      }
      this.sleepers.shift();
      if (next.atNs > this.now) this.now = next.atNs;
      next.wake();
    }
  }
}

const SECONDS = 20;

/** Takes as many bytes as it may, in chunks of a socket, until the time is over. */
async function take(pace: Pace, isOver: () => boolean, count: (bytes: number) => void) {
  while (!isOver()) {
    const bytes = Math.min(65_536, pace.quantumBytes());
    count(bytes);
    await pace.afterBytes(bytes);
  }
}

describe('the bandwidth of a pull', () => {
  it.each([
    { rate: 64 * 1024, sockets: 1 },
    { rate: 1024 * 1024, sockets: 4 },
    { rate: 5_000_000, sockets: 16 },
    { rate: 20_000_000, sockets: 64 },
  ])('is within 5 % of $rate bytes a second over $sockets sockets', async ({ rate, sockets }) => {
    const clock = new SimulatedClock();
    const memory = new Pace(undefined, clock);
    memory.set({ bytesPerSecond: rate });
    const end = clock.nowNs() + BigInt(SECONDS) * 1_000_000_000n;
    let total = 0;
    // Each thread has a pace of its own over the same memory.
    const takers = Array.from({ length: sockets }, () =>
      take(
        new Pace(memory.memory, clock),
        () => clock.nowNs() >= end,
        (bytes) => (total += bytes),
      ),
    );
    await clock.run(end);
    const share = total / (rate * SECONDS);
    expect(share).toBeGreaterThan(0.95);
    expect(share).toBeLessThan(1.05);
    memory.set({});
    await clock.run(end + 1_000_000_000n);
    await Promise.all(takers);
  });

  it('is within 5 % in requests too, also below one a second', async () => {
    for (const perSecond of [0.5, 10, 200]) {
      const clock = new SimulatedClock();
      const pace = new Pace(undefined, clock);
      pace.set({ requestsPerSecond: perSecond });
      const end = clock.nowNs() + 100_000_000_000n;
      let sent = 0;
      const senders = Array.from({ length: 8 }, async () => {
        while (clock.nowNs() < end) {
          await pace.beforeRequest();
          if (clock.nowNs() < end) sent += 1;
        }
      });
      await clock.run(end);
      expect(Math.abs(sent - perSecond * 100)).toBeLessThanOrEqual(
        Math.max(1, perSecond * 100 * 0.05),
      );
      pace.set({});
      await clock.run(end + 1_000_000_000n);
      await Promise.all(senders);
    }
  });
});
