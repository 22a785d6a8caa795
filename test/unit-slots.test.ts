import { describe, expect, it, jest } from '@jest/globals';
import { UnitSlots } from '../src/unit-slots.js';

const SLOTS = { usual: 1, patienceMs: 1, many: 100, longPatienceMs: 3_600_000, most: 100 };

const never = new AbortController().signal;

interface Poller {
  readonly hasIt: boolean;
  end(): void;
}

/** Takes a slot and works on it, and says so. */
function poller(slots: UnitSlots, signal = never): Poller {
  const permits: object[] = [];
  slots.reserveSlot({}, signal).then(
    (permit) => {
      permits.push(permit);
      slots.markSlotUsed({ permit });
    },
    () => undefined,
  );
  return {
    get hasIt() {
      return permits.length > 0;
    },
    end: () => permits.forEach((permit) => slots.releaseSlot({ permit })),
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

async function untilHas(one: { readonly hasIt: boolean }): Promise<void> {
  while (!one.hasIt) await settle();
}

describe('the units of a worker', () => {
  it('are few, so that the others find work: the next comes when one has ended', async () => {
    const slots = new UnitSlots({ ...SLOTS, usual: 2, most: 8, patienceMs: 3_600_000 });
    const [first, second, third] = [poller(slots), poller(slots), poller(slots)];
    await settle();
    expect([first.hasIt, second.hasIt, third.hasIt]).toEqual([true, true, false]);
    expect(slots.tryReserveSlot()).toBeNull();
    first.end();
    await untilHas(third);
  });

  it('are one more when none has ended for a while, up to the most, and fewer again afterwards', async () => {
    const slots = new UnitSlots({ ...SLOTS, usual: 1, most: 3, patienceMs: 10 });
    const all = Array.from({ length: 5 }, () => poller(slots));
    for (const one of all.slice(0, 3)) await untilHas(one);
    // Long after what the fourth would have waited for.
    for (let tries = 0; tries < 10; tries += 1) await settle();
    expect(all.map(({ hasIt }) => hasIt)).toEqual([true, true, true, false, false]);
    for (const one of all.slice(0, 3)) one.end();
    await untilHas(all[3] ?? { hasIt: true });
  });

  it('are taken one after another beside a long one, where each is quick', async () => {
    jest.useFakeTimers();
    try {
      const slots = new UnitSlots({ ...SLOTS, usual: 1, most: 2, patienceMs: 1_000 });
      const [long, ...quick] = Array.from({ length: 5 }, () => poller(slots));
      await jest.advanceTimersByTimeAsync(1_000);
      for (const one of quick) {
        expect(one.hasIt).toBe(true);
        one.end();
        await jest.advanceTimersByTimeAsync(0);
      }
      // Its place is still there, until the long one takes it along.
      const permit = slots.tryReserveSlot() ?? {};
      long?.end();
      expect(slots.tryReserveSlot()).toBeNull();
      slots.releaseSlot({ permit });
      expect([slots.tryReserveSlot() !== null, slots.tryReserveSlot()]).toEqual([true, null]);
    } finally {
      jest.useRealTimers();
    }
  });

  it('come more slowly once they are many, and are never a wall for a small pull', async () => {
    jest.useFakeTimers();
    try {
      const options = { usual: 1, patienceMs: 1_000, many: 2, longPatienceMs: 6_000, most: 10 };
      const slots = new UnitSlots(options);
      const all = Array.from({ length: 4 }, () => poller(slots));
      const taken = (): number => all.filter(({ hasIt }) => hasIt).length;
      await jest.advanceTimersByTimeAsync(1_000);
      expect(taken()).toBe(2);
      await jest.advanceTimersByTimeAsync(5_900);
      expect(taken()).toBe(2);
      await jest.advanceTimersByTimeAsync(100);
      expect(taken()).toBe(3);
      await jest.advanceTimersByTimeAsync(6_000);
      expect(taken()).toBe(4);
    } finally {
      jest.useRealTimers();
    }
  });

  it('are no more for a poller that waits for work that is not there', async () => {
    const slots = new UnitSlots({ ...SLOTS, usual: 1, most: 3, patienceMs: 1 });
    const permit = await slots.reserveSlot({}, never);
    const second = poller(slots);
    for (let tries = 0; tries < 5; tries += 1) await settle();
    expect(second.hasIt).toBe(false);
    slots.releaseSlot({ permit });
    await untilHas(second);
  });

  it('are not kept for a poller that has gone', async () => {
    const slots = new UnitSlots({ ...SLOTS, usual: 1, most: 1, patienceMs: 1 });
    const going = new AbortController();
    const [first, second, third] = [poller(slots), poller(slots, going.signal), poller(slots)];
    await untilHas(first);
    going.abort();
    first.end();
    await untilHas(third);
    expect(second.hasIt).toBe(false);
  });
});
