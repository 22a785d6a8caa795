/** The stores of a thread: one for all the packs of a source, and closed when nobody has read from it for a while. */
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { StoreRegistry } from '../../../src/stores/registry.js';
import type { Store, StoreAddress } from '../../../src/stores/store.js';
import { Cell } from '../../../src/transfer/thread/cell.js';
import { Pace } from '../../../src/transfer/thread/pace.js';
import { createThreadTasks } from '../../../src/transfer/thread/run-tasks.js';
import { scratch } from '../../helpers/engine.js';

const opened: Store[] = [];
const closed: Store[] = [];

/** Opens real stores, and hears of their ends. */
async function opener(address: StoreAddress): Promise<Store> {
  const store = await new StoreRegistry().open(address);
  const close = store.close.bind(store);
  store.close = async () => {
    closed.push(store);
    await close();
  };
  opened.push(store);
  return store;
}

beforeEach(() => {
  opened.length = 0;
  closed.length = 0;
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'performance', 'queueMicrotask'] });
});

afterEach(() => {
  jest.useRealTimers();
});

describe('the stores of a thread', () => {
  it('are kept from one pack to the next, and closed half a minute after the last', async () => {
    const dir = await scratch('kept-stores');
    await mkdir(join(dir, 'from'));
    await writeFile(join(dir, 'from', 'a'), 'a');
    const pace = new Pace();
    pace.allow(1);
    const tasks = createThreadTasks(opener);
    const fetch = (name: string): ReturnType<typeof tasks.fetchPack> =>
      tasks.fetchPack({
        address: { uri: pathToFileURL(join(dir, 'from')).href, settings: {}, secrets: {} },
        round: '1',
        pace: { id: 'p', memory: pace.memory },
        cell: new Cell().memory,
        plans: JSON.stringify({ path: 'a', sizeBytes: 1 }),
        partialPrefix: join(dir, name),
        attempts: 1,
        required: { requireLevel: 'none', acceptUnprovenLength: false },
        concurrency: 1,
        largeFromBytes: 1_000,
      });
    expect((await fetch('first')).proven).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(29_000);
    expect((await fetch('second')).proven).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(29_000);
    expect([opened.length, closed.length]).toEqual([1, 0]);
    await jest.advanceTimersByTimeAsync(2_000);
    expect(closed).toEqual(opened);
    expect((await fetch('third')).proven).toHaveLength(1);
    expect(opened).toHaveLength(2);
  });
});
