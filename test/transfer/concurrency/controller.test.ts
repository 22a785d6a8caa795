/** The controller against simulated sources: it has no clock, so hours pass in a moment. */
import { describe, expect, it } from '@jest/globals';
import {
  ConcurrencyController,
  type Decision,
  type Look,
} from '../../../src/transfer/concurrency/controller.js';

/** A source in numbers. */
interface Source {
  /** Requests at once that it bears. */
  bears: number;
  /** Requests at once that bring something; more share it. */
  scales: number;
  readonly bytesPerSecond: number;
  readonly filesPerSecond: number;
  /** What it says to one too many. */
  readonly says?: 'throttled' | 'timedOut' | 'unavailable';
}

/** A controller at work, step by step. */
class Run {
  readonly decisions: Decision[] = [];
  readonly limits: number[] = [];
  refused = 0;
  requests = 0;
  private look: Look = {
    atMs: 0,
    bytes: 0,
    files: 0,
    requests: 0,
    isBusy: true,
    refusals: { throttled: 0, timedOut: 0, unavailable: 0 },
  };

  constructor(
    readonly controller: ConcurrencyController,
    private readonly source: Source,
  ) {}

  /** Lets time pass, in looks of a tenth of a second. */
  pass(ms: number, isBusy = true): this {
    for (let passed = 0; passed < ms; passed += 100) {
      const { limit } = this.controller;
      const { bears, scales, bytesPerSecond, filesPerSecond, says = 'throttled' } = this.source;
      const active = isBusy ? Math.min(limit, bears, scales) : Math.min(1, bears);
      const over = isBusy ? Math.max(0, limit - bears) : 0;
      this.refused += over;
      const none = { throttled: 0, timedOut: 0, unavailable: 0 };
      this.look = {
        atMs: this.look.atMs + 100,
        bytes: this.look.bytes + (active * bytesPerSecond) / 10,
        files: this.look.files + Math.round((active * filesPerSecond) / 10),
        requests: this.look.requests + Math.round((active * filesPerSecond) / 10) + 1,
        isBusy,
        refusals: { ...none, [says]: over },
      };
      this.requests = this.look.requests;
      const decision = this.controller.look(this.look);
      if (decision !== undefined) this.decisions.push(decision);
      this.limits.push(this.controller.limit);
    }
    return this;
  }
}

const SMALL = { bytesPerSecond: 1e6, filesPerSecond: 20 } as const;
const LARGE_AND_SLOW = { bytesPerSecond: 5e6, filesPerSecond: 0 } as const;
const LARGE_AND_FAST = { bytesPerSecond: 200e6, filesPerSecond: 0 } as const;
const NEVER = 1_000_000;

describe('the concurrency of a source', () => {
  it('doubles within a second where small files come, and up to the cap while it pays', () => {
    const run = new Run(new ConcurrencyController(64), { ...SMALL, bears: NEVER, scales: NEVER });
    run.pass(1_000);
    expect(run.controller.limit).toBeGreaterThanOrEqual(16);
    run.pass(10_000);
    expect(run.controller.limit).toBe(64);
  });

  it('doubles over a long link, where each connection is slow, and stays put where they are fast', () => {
    const slow = new Run(new ConcurrencyController(64), {
      ...LARGE_AND_SLOW,
      bears: NEVER,
      scales: NEVER,
    });
    expect(slow.pass(700).controller.limit).toBe(16);
    expect(slow.pass(2_000).controller.limit).toBe(64);
    const fast = new Run(new ConcurrencyController(64), {
      ...LARGE_AND_FAST,
      bears: NEVER,
      scales: NEVER,
    });
    expect(fast.pass(2_500).controller.limit).toBe(4);
  });

  it('takes back what brought no more, and leaves it alone for a while', () => {
    const run = new Run(new ConcurrencyController(64), {
      ...SMALL,
      filesPerSecond: 0,
      bears: NEVER,
      scales: 20,
    });
    run.pass(60_000);
    expect(run.controller.limit).toBeGreaterThanOrEqual(16);
    expect(run.controller.limit).toBeLessThanOrEqual(32);
    const back = run.decisions.filter(({ from, to }) => to < from).map(({ why }) => why);
    expect(back[0]).toMatch(/^32 brought .* MB\/s at first, 16 had brought .* MB\/s$/u);
    expect(back).toContainEqual(expect.stringMatching(/brought .* MB\/s, hardly more than/u));
    const tried = run.decisions.length;
    run.pass(600_000);
    expect(run.decisions.length - tried).toBeLessThan(40);
  });

  it('climbs on within two seconds where each doubling pays, with small files or without', () => {
    for (const shape of [SMALL, LARGE_AND_SLOW]) {
      const controller = new ConcurrencyController(64);
      const run = new Run(controller, { ...shape, bears: NEVER, scales: NEVER });
      expect(run.pass(2_000).controller.limit).toBe(64);
      expect(run.decisions.some(({ why }) => /^a connection brought only/u.test(why))).toBe(true);
    }
  });

  it('leaves what did not pay at first to longer looks, and not alone for long', () => {
    const source = { ...SMALL, bears: NEVER, scales: 16 };
    const run = new Run(new ConcurrencyController(64), source);
    run.pass(2_000);
    expect(run.controller.limit).toBe(16);
    source.scales = NEVER;
    expect(run.pass(6_000).controller.limit).toBe(64);
  });

  it.each(['throttled', 'timedOut', 'unavailable'] as const)(
    'settles below what the source bears when it is %s, and seldom asks for more',
    (says) => {
      for (let bears = 1; bears <= 40; bears += 1) {
        const run = new Run(new ConcurrencyController(64), {
          ...SMALL,
          bears,
          scales: NEVER,
          says,
        });
        run.pass(60_000);
        expect(run.controller.limit).toBeLessThanOrEqual(bears + 1);
        const { refused } = run;
        const asked = run.requests;
        run.pass(600_000);
        expect((run.refused - refused) / (run.requests - asked)).toBeLessThan(0.01);
        const late = run.limits.slice(-3_000);
        const within = late.filter((limit) => limit <= bears && limit >= bears / 2);
        expect(within.length / late.length).toBeGreaterThan(0.9);
      }
    },
  );

  it('goes down where the source is throttled for a while, and up again when it is freed', () => {
    const source = { ...SMALL, bears: NEVER, scales: NEVER };
    const run = new Run(new ConcurrencyController(32), source);
    expect(run.pass(20_000).controller.limit).toBe(32);
    source.bears = 2;
    expect(run.pass(60_000).controller.limit).toBeLessThanOrEqual(3);
    expect(run.decisions.some(({ why }) => why.startsWith('the source asked for fewer'))).toBe(
      true,
    );
    source.bears = NEVER;
    expect(run.pass(120_000).controller.limit).toBe(32);
  });

  it('is not disturbed by one failed request in hundreds', () => {
    const controller = new ConcurrencyController(16);
    const run = new Run(controller, { ...SMALL, bears: NEVER, scales: NEVER });
    run.pass(30_000);
    const look: Look = {
      atMs: 30_001,
      bytes: 1e12,
      files: 1e6,
      requests: 1e6,
      isBusy: true,
      refusals: { throttled: 0, timedOut: 0, unavailable: 1 },
    };
    controller.look(look);
    expect(controller.limit).toBe(16);
    controller.look({ ...look, refusals: { throttled: 1, timedOut: 0, unavailable: 0 } });
    expect(controller.limit).toBe(8);
  });

  it('learns nothing while nobody wants all that is allowed', () => {
    const run = new Run(new ConcurrencyController(64), { ...SMALL, bears: NEVER, scales: NEVER });
    run.pass(60_000, false);
    expect(run.controller.limit).toBe(4);
  });

  it('never leaves 1 to cap, whatever it sees, and each change has a sentence', () => {
    let seed = 20260101;
    const random = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed / 2_147_483_648;
    };
    for (let round = 0; round < 300; round += 1) {
      let cap = 1 + Math.floor(random() * 100);
      const controller = new ConcurrencyController(cap);
      let look: Look = {
        atMs: 0,
        bytes: 0,
        files: 0,
        requests: 0,
        isBusy: false,
        refusals: { throttled: 0, timedOut: 0, unavailable: 0 },
      };
      for (let step = 0; step < 300; step += 1) {
        if (random() < 0.02) {
          cap = 1 + Math.floor(random() * 100);
          controller.setCap(cap);
        }
        if (random() < 0.02) controller.forgetRate();
        const some = (chance: number): number =>
          random() < chance ? Math.floor(random() * 20) : 0;
        look = {
          atMs: look.atMs + random() * 3_000,
          bytes: look.bytes + random() * 1e9,
          files: look.files + some(0.5),
          requests: look.requests + some(0.5),
          isBusy: random() < 0.8,
          refusals: { throttled: some(0.05), timedOut: some(0.05), unavailable: some(0.05) },
        };
        const before = controller.limit;
        const decision = controller.look(look);
        const { limit } = controller;
        const isSound =
          limit >= 1 &&
          limit <= cap &&
          Number.isInteger(limit) &&
          limit === (decision?.to ?? before) &&
          (decision === undefined || /^[a-z0-9].{10,120}$/u.test(decision.why));
        if (!isSound) expect({ round, step, cap, before, limit, decision }).toBe('sound');
      }
    }
  });
});
