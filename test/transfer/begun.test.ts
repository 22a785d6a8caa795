/** A listing that is asked for before anybody reads it. */
import { describe, expect, it } from '@jest/globals';
import { beginNow } from '../../src/transfer/plan/begun.js';

/** Counts up to `end`; tells what was done to it. */
function counting(end: number, told: string[]): AsyncGenerator<number> {
  return (async function* () {
    try {
      for (let value = 0; value < end; value += 1) {
        told.push(`asked for ${value}`);
        await Promise.resolve();
        yield value;
      }
    } finally {
      told.push('ended');
    }
  })();
}

async function all(items: AsyncIterable<number>): Promise<number[]> {
  const seen: number[] = [];
  for await (const item of items) seen.push(item);
  return seen;
}

describe('a listing that was begun', () => {
  it('is asked for its first item before anybody reads, and gives all of them once', async () => {
    const told: string[] = [];
    const { items } = beginNow(counting(3, told));
    expect(told).toEqual(['asked for 0']);
    expect(await all(items)).toEqual([0, 1, 2]);
    expect(await all(beginNow(counting(0, [])).items)).toEqual([]);
  });

  it('ends with its reader, and where there will be none', async () => {
    const read: string[] = [];
    for await (const item of beginNow(counting(3, read)).items) if (item === 0) break;
    expect(read.at(-1)).toBe('ended');
    const unread: string[] = [];
    const { drop } = beginNow(counting(3, unread));
    drop();
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    expect(unread).toEqual(['asked for 0', 'ended']);
  });

  it('throws its first failure to the reader, and to nobody where there is none', async () => {
    const failing = async function* (): AsyncGenerator<number> {
      await Promise.reject(new Error('no such place'));
      yield 0;
    };
    await expect(all(beginNow(failing()).items)).rejects.toThrow('no such place');
    beginNow(failing()).drop();
  });
});
