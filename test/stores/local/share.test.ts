/** A folder on a share whose server makes trouble: on a file system that fails on command (`test/faultfs`). */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { ObjectEntry } from '../../../src/model/object-entry.js';
import { LocalStore } from '../../../src/stores/local/store.js';
import { startFaultFs, type DiskFault, type FaultFs } from '../../helpers/faultfs.js';
import { mountExt4 } from '../../helpers/mount.js';
import { thrownBy } from '../../helpers/thrown-by.js';

const MiB = 1024 * 1024;
const BIG = 5 * MiB;
/** Numbers from here on are none that JavaScript's have room for. */
const FIRST_INO = 2n ** 53n + 1n;

let share: FaultFs;
/** Its kernel remembers what a file is, for long. */
let cached: FaultFs;
let store: LocalStore;

beforeAll(async () => {
  share = await startFaultFs({ isShare: true, firstIno: FIRST_INO });
  cached = await startFaultFs();
  for (const { path } of [share, cached]) {
    mkdirSync(join(path, 'tree/sub'), { recursive: true });
    writeFileSync(join(path, 'tree/big.bin'), Buffer.alloc(BIG, 7));
    writeFileSync(join(path, 'tree/small'), 'weights');
    writeFileSync(join(path, 'tree/sub/other'), 'other');
  }
  store = new LocalStore(join(share.path, 'tree'));
});
afterEach(async () => {
  await share.clear();
});
afterAll(async () => {
  await store.close();
  await share.stop();
  await cached.stop();
});

async function list(from = store): Promise<ObjectEntry[]> {
  const entries: ObjectEntry[] = [];
  for await (const entry of from.list('', { recursive: true })) entries.push(entry);
  return entries;
}

async function read(path: string, from = store): Promise<number> {
  const { pin } = await from.stat(path);
  const { body } = await from.openRead(path, pin === undefined ? {} : { pin });
  let bytes = 0;
  for await (const chunk of body) bytes += (chunk as Buffer).length;
  return bytes;
}

/** An error is about the source where the share does not answer at all; else about the one file. */
const CASES: readonly (readonly [string, DiskFault, () => Promise<unknown>, RegExp])[] = [
  [
    'a handle that goes stale in the middle of a file',
    { kind: 'read', path: 'big', errno: 'ESTALE', after: 3 },
    () => read('big.bin'),
    /big\.bin" has a stale handle/u,
  ],
  [
    'a handle that is stale when the file is opened',
    { kind: 'open', path: 'big', errno: 'ESTALE' },
    () => read('big.bin'),
    /stale handle/u,
  ],
  [
    'a handle that is stale when the file is looked at',
    { kind: 'lookup', path: 'big', errno: 'ESTALE' },
    () => store.stat('big.bin'),
    /stale handle/u,
  ],
  [
    'an input/output error in the middle of a file',
    { kind: 'read', path: 'big', errno: 'EIO', after: 3 },
    () => read('big.bin'),
    /input\/output error/u,
  ],
];

describe('a share that answers', () => {
  it.each(CASES)('rule 26: makes of %s an error of that file', async (_, fault, doing, why) => {
    await share.fault(fault);
    const error = await thrownBy(doing());
    expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', scope: 'file', retryable: true });
    expect(error.message).toMatch(why);
    expect(error.message).toContain(`it is on the share faultfs (fuse.faultfs) at ${share.path}`);
    expect(error.message).toContain(`see that \`ls ${share.path}\` answers`);
    expect(await read('small')).toBe(7);
  });

  it('rule 11: reads all of a file that it gives in pieces', async () => {
    await share.fault({ kind: 'read', errno: 'SHORT' });
    expect(await read('big.bin')).toBe(BIG);
  });

  it('a soft mount that gave up waiting is a timeout of the source', async () => {
    await share.fault({ kind: 'read', path: 'big', errno: 'ETIMEDOUT' });
    expect(await thrownBy(read('big.bin'))).toMatchObject({
      code: 'WB_TIMEOUT',
      scope: 'source',
      message: expect.stringContaining('is on a network share that does not answer'),
    });
  });

  it('a folder that cannot be listed ends the listing', async () => {
    for (const errno of ['ESTALE', 'EIO', 'EACCES'] as const) {
      await share.fault({ kind: 'readdir', path: 'sub', errno });
      expect(await thrownBy(list())).toMatchObject({
        code: errno === 'EACCES' ? 'WB_PERMISSION_DENIED' : 'WB_UNAVAILABLE',
        message: expect.stringContaining('/tree/sub"'),
      });
      await share.clear();
    }
  });

  it('gives root no rights: the error says why that may be', async () => {
    await share.fault({ kind: 'open', path: 'small', errno: 'EACCES' });
    const error = await thrownBy(read('small'));
    expect(error).toMatchObject({ code: 'WB_PERMISSION_DENIED', scope: 'file' });
    expect(error.message).toContain('root_squash');
  });

  it('lists a name once that it gives twice, and leaves out what is deleted and still open', async () => {
    const gone = join(share.path, 'tree/.nfs000000000a3b00f100000002');
    writeFileSync(gone, 'deleted');
    writeFileSync(join(share.path, 'tree/.nfsrc'), 'a file like others');
    await share.fault({ kind: 'readdir', errno: 'TWICE' });
    const paths = (await list()).map(({ path }) => path);
    expect(paths).toEqual(['.nfsrc', 'big.bin', 'small', 'sub', 'sub/other']);
  });

  it('rule 12: tells two files apart by inodes beyond 2^53, and pins weakly', async () => {
    const [big, small] = [await store.stat('big.bin'), await store.stat('small')];
    expect(big.pin).toMatchObject({ strength: 'weak' });
    const inode = (entry: ObjectEntry): bigint => BigInt(entry.pin?.value.split('+').at(-1) ?? '');
    expect(inode(big)).toBeGreaterThan(FIRST_INO);
    expect(inode(small)).toBe(inode(big) + 1n);
    const inexact = [inode(big), inode(small)].filter((ino) => BigInt(Number(ino)) !== ino);
    expect(inexact).toHaveLength(1);
  });

  it('rule 12: gives no thread of its own to a file that might hang', async () => {
    await read('small');
    expect(store.readWhole('small', { maxBytes: 100 })).toBeUndefined();
  });

  it('rule 12: a file that another client replaces is a changed one', async () => {
    writeFileSync(join(share.path, 'tree/changing'), 'first');
    const { pin } = await store.stat('changing');
    await share.put('tree/changing', 'later');
    const opened = store.openRead('changing', pin === undefined ? {} : { pin });
    expect(await thrownBy(opened)).toMatchObject({ code: 'WB_SOURCE_CHANGED', scope: 'file' });
  });
});

describe('a share whose attributes are remembered here', () => {
  it('rule 11: a file that has become shorter meanwhile is no short success', async () => {
    const from = new LocalStore(join(cached.path, 'tree'));
    const { pin } = await from.stat('big.bin');
    await cached.put('tree/big.bin', 'short');
    const opened = await from.openRead('big.bin', pin === undefined ? {} : { pin });
    expect(opened.sizeBytes).toBe(BIG);
    const error = await thrownBy(opened.body.resume().toArray());
    expect(['WB_SIZE_MISMATCH', 'WB_SOURCE_CHANGED']).toContain(error.code);
    await from.close();
  });
});

describe('a share that is gone', () => {
  it('is one error of the source, that says which it is', async () => {
    const away = await startFaultFs({ isShare: true });
    try {
      mkdirSync(join(away.path, 'tree'));
      writeFileSync(join(away.path, 'tree/small'), 'weights');
      const from = new LocalStore(join(away.path, 'tree'));
      expect(await read('small', from)).toBe(7);
      // From the next change on nothing is answered any more but EIO.
      await away.cutAt(1);
      expect(() => writeFileSync(join(away.path, 'tree/more'), '')).toThrow(/EIO/u);
      expect(await thrownBy(read('small', from))).toMatchObject({
        code: 'WB_UNAVAILABLE',
        scope: 'source',
        message: expect.stringContaining(`at ${away.path}`),
      });
    } finally {
      await away.stop();
    }
  });
});

describe('a disk of this host', () => {
  it('rule 26: that cannot read a block of a file costs that file alone', async () => {
    const below = await startFaultFs();
    const disk = mountExt4({ sizeBytes: 32 * MiB, at: below.path });
    const from = new LocalStore(disk.path);
    try {
      writeFileSync(join(disk.path, 'bad.bin'), Buffer.alloc(BIG, 7));
      writeFileSync(join(disk.path, 'small'), 'weights');
      // Written, and no longer remembered: the next read asks the device.
      execFileSync('sync', ['-f', disk.path]);
      const forget = ['iflag=nocache', 'count=0', 'status=none'];
      execFileSync('dd', [`if=${join(disk.path, 'bad.bin')}`, ...forget]);
      expect(await read('small', from)).toBe(7);
      await below.fault({ kind: 'read', path: 'image', errno: 'EIO' });
      const error = await thrownBy(read('bad.bin', from));
      expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', scope: 'file', path: 'bad.bin' });
      expect(error.message).toMatch(/the disk or the share reports an input\/output error/u);
      expect(await read('small', from)).toBe(7);
    } finally {
      await below.clear();
      await from.close();
      disk.unmount();
      await below.stop();
    }
  });
});
