/** A partial that gets an inode of its own where the file system shares no blocks. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { moveToNewInode } from '../../src/transfer/copy-partial.js';

const MiB = 1024 * 1024;
const SIZE = 40 * MiB;
const RUNS = [
  { offsetBytes: 0, lengthBytes: 9 * MiB },
  { offsetBytes: 24 * MiB, lengthBytes: 3 * MiB },
];
const NEVER = new AbortController().signal;

describe('rule 13: a partial on a new inode', () => {
  let folder: string;
  let partial: string;

  beforeEach(async () => {
    // Memory shares no blocks.
    folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'waybill-copy-'));
    partial = join(folder, 'p');
    await writeFile(partial, Buffer.alloc(SIZE, 7));
    await chmod(partial, 0o750);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('has what is recorded of it, at its place, and tells how far it is', async () => {
    const { ino } = statSync(partial);
    const counts: number[] = [];
    await moveToNewInode(partial, RUNS, {
      signal: NEVER,
      onBytes: (count) => void counts.push(count),
    });
    const found = statSync(partial);
    expect(found.ino).not.toBe(ino);
    expect([found.size, found.mode & 0o777]).toEqual([SIZE, 0o750]);
    const wanted = Buffer.alloc(SIZE);
    for (const { offsetBytes, lengthBytes } of RUNS) {
      wanted.fill(7, offsetBytes, offsetBytes + lengthBytes);
    }
    expect(readFileSync(partial).equals(wanted)).toBe(true);
    expect(counts.length).toBeGreaterThan(2);
    expect(counts.reduce((sum, count) => sum + count)).toBe(12 * MiB);
    expect(readdirSync(folder)).toEqual(['p']);
  });

  it('that is stopped in the middle stays as it was, and leaves nothing beside it', async () => {
    const { ino } = statSync(partial);
    const controller = new AbortController();
    const reason = new Error('enough');
    let copied = 0;
    const onBytes = (count: number): void => {
      copied += count;
      controller.abort(reason);
    };
    await expect(
      moveToNewInode(partial, RUNS, { signal: controller.signal, onBytes }),
    ).rejects.toBe(reason);
    expect(copied).toBeLessThan(12 * MiB);
    expect(statSync(partial).ino).toBe(ino);
    expect(readdirSync(folder)).toEqual(['p']);
  });

  it('takes away what a kill has left of an earlier one', async () => {
    await writeFile(`${partial}.copy-0badcafe`, 'half');
    await writeFile(`${partial}q.copy-0badcafe`, 'of another');
    await moveToNewInode(partial, RUNS, { signal: NEVER, onBytes: () => undefined });
    expect(readdirSync(folder).sort()).toEqual(['p', 'pq.copy-0badcafe']);
  });

  it('shorter than its record says is copied as far as it goes', async () => {
    const beyond = [{ offsetBytes: SIZE - MiB, lengthBytes: 2 * MiB }];
    const counts: number[] = [];
    await moveToNewInode(partial, beyond, {
      signal: NEVER,
      onBytes: (count) => void counts.push(count),
    });
    expect(counts.reduce((sum, count) => sum + count)).toBe(MiB);
    expect(statSync(partial).size).toBe(SIZE);
  });
});
