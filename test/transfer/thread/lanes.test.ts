/** The lanes of a pack: as many files at once as the pull may have connections, at every moment. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StoreRegistry } from '../../../src/stores/registry.js';
import { Cell } from '../../../src/transfer/thread/cell.js';
import { Pace } from '../../../src/transfer/thread/pace.js';
import { createThreadTasks } from '../../../src/transfer/thread/run-tasks.js';
import type { FetchPackOutcome } from '../../../src/transfer/thread/tasks.js';
import { scratch } from '../../helpers/engine.js';
import { startHttpGate, type HttpGate } from '../../helpers/http-gate.js';

const FILES = 60;

/** Answers that are asked for and not given yet. */
const held: ServerResponse[] = [];
let server: HttpGate;

beforeEach(async () => {
  held.length = 0;
  server = await startHttpGate((_request, response) => held.push(response));
});

afterEach(async () => {
  await server.stop();
});

async function waitForHeld(count: number): Promise<void> {
  while (held.length !== count) await sleep(10);
}

function answer(count: number): void {
  for (const response of held.splice(0, count)) response.end('x');
}

async function fetchPack(name: string, pace: Pace, cell: Cell): Promise<FetchPackOutcome> {
  const tasks = createThreadTasks((address) => new StoreRegistry().open(address));
  return tasks.fetchPack({
    address: { uri: `${server.url}/tree/`, settings: {}, secrets: {} },
    round: '1',
    pace: { id: 'p', memory: pace.memory },
    cell: cell.memory,
    plans: Array.from({ length: FILES }, (_, index) =>
      JSON.stringify({ path: `f-${index}`, sizeBytes: 1 }),
    ).join('\n'),
    partialPrefix: join(await scratch(name), 'partial'),
    attempts: 1,
    required: { requireLevel: 'none', acceptUnprovenLength: false },
    concurrency: 32,
    largeFromBytes: 1_000,
  });
}

describe('the lanes of a pack', () => {
  it('become more while files are under way, and fewer with the files that end', async () => {
    const pace = new Pace();
    pace.allow(2);
    const pack = fetchPack('lanes', pace, new Cell());
    await waitForHeld(2);
    // Nothing has been answered: those that are more start beside those that wait.
    pace.allow(12);
    await waitForHeld(12);
    pace.allow(3);
    answer(11);
    await waitForHeld(3);
    // And no more come after them.
    await sleep(200);
    expect(held).toHaveLength(3);
    pace.allow(100);
    // The pack's own bound.
    await waitForHeld(32);
    expect(pace.isFull).toBe(false);
    const timer = setInterval(() => answer(held.length), 10);
    const { proven, others } = await pack.finally(() => clearInterval(timer));
    expect(proven).toHaveLength(FILES);
    expect(others).toEqual([]);
    // Every connection was given back.
    pace.allow(1);
    expect(pace.tryConnection()).toBe(true);
    expect(pace.tryConnection()).toBe(false);
  });

  it('give everything back when the work is stopped while they wait', async () => {
    const pace = new Pace();
    pace.allow(1);
    const cell = new Cell();
    const pack = fetchPack('lanes-stopped', pace, cell);
    await waitForHeld(1);
    cell.stop();
    const { proven, others } = await pack;
    expect(proven).toHaveLength(0);
    expect(others.every(({ outcome }) => outcome.kind === 'stopped')).toBe(true);
    expect(pace.tryConnection()).toBe(true);
    expect(pace.tryConnection()).toBe(false);
  });
});
