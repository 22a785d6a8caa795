/** A share that is away when a pull begins: its mount point is a folder like any other, and is not taken for the destination. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PullResult } from '../../src/model/pull.js';
import type { TransferEngine } from '../../src/transfer/api.js';
import { engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';
import { mountShare, type Share } from '../helpers/mount.js';

const MiB = 1024 * 1024;

let dir: string;
let source: string;
let mountsFile: string;
let share: Share;
const engines: TransferEngine[] = [];

beforeAll(async () => {
  dir = await scratch('known-mounts');
  source = join(dir, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'a.bin'), 'a');
  share = mountShare({ sizeBytes: MiB });
});

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
});

afterAll(() => {
  share.unmount();
  rmSync(dir, { recursive: true, force: true });
});

/** Each pull by an engine of its own: what is remembered outlives the worker. */
function pull(to: string, takeOver = false): Promise<PullResult> {
  const engine = engineOf({ mountsFile });
  engines.push(engine);
  return pullWith(engine, requestOf(source, to, { takeOver }));
}

const notHere = (): object => ({
  code: 'WB_DESTINATION_NOT_HERE',
  exitCode: 10,
  retryable: false,
  message: expect.stringContaining(`the share under ${share.path} is not mounted`),
});

describe('a destination on a share that is away', () => {
  it('rule 7: is not made anew below the mount point, neither a folder in it nor the mount point itself', async () => {
    mountsFile = join(dir, 'mounts.json');
    for (const to of [join(share.path, 'model'), share.path]) {
      share.back();
      expect(await pull(to)).toMatchObject({ ok: true, filesFetched: 1 });
      share.away();
      await expect(pull(to)).rejects.toMatchObject(notHere());
      expect(readdirSync(share.path)).toEqual([]);
      share.back();
      expect(await pull(to)).toMatchObject({ ok: true });
      rmSync(join(share.path, '.waybill'), { recursive: true, force: true });
      share.away();
    }
  });

  it('rule 7: is taken as an ordinary folder once somebody says so, and from then on', async () => {
    mountsFile = join(dir, 'given-up.json');
    share.back();
    const to = join(share.path, 'given-up');
    await pull(to);
    share.away();
    await expect(pull(to)).rejects.toMatchObject(notHere());
    try {
      expect(await pull(to, true)).toMatchObject({ ok: true, filesFetched: 1 });
      expect(await pull(to)).toMatchObject({ ok: true });
    } finally {
      rmSync(to, { recursive: true });
    }
  });

  it('rule 7: does not keep others from the mount point, and a file that is not to be read stops nobody', async () => {
    mountsFile = join(dir, 'others.json');
    share.back();
    await pull(join(share.path, 'there'));
    share.away();
    const other = join(share.path, 'other');
    expect(await pull(other)).toMatchObject({ ok: true });
    rmSync(other, { recursive: true });
    writeFileSync(mountsFile, '{"half": ');
    share.back();
    expect(await pull(join(share.path, 'there'))).toMatchObject({ ok: true });
  });
});
