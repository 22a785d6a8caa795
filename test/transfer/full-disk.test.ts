/** What the engine does on real file systems that are full, read-only, out of inodes or broken (rule 18). */
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
  openSync,
  closeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { PullRef, TransferEngine } from '../../src/transfer/api.js';
import { verifyTree } from '../../src/transfer/verify.js';
import { readSidecar } from '../../src/transfer/sidecar.js';
import { serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';
import { startFaultFs } from '../helpers/faultfs.js';
import { mountExt4, mountTmpfs, type Mounted } from '../helpers/mount.js';
import { digestsOfTree } from '../helpers/tree.js';
import { until } from '../helpers/until.js';

const MiB = 1024 * 1024;
const KiB = 1024;

describe('a destination that takes no more', () => {
  let source: string;
  let engine: TransferEngine;
  const mounts: Mounted[] = [];

  const mounted = (disk: Mounted): Mounted => {
    mounts.push(disk);
    return disk;
  };
  const context = contextOf();

  beforeAll(async () => {
    source = await scratch('full-disk');
    for (let index = 0; index < 40; index += 1) {
      const folder = join(source, `part-${index % 4}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `${index}.bin`), randomBytes(64 * KiB));
    }
  });
  afterEach(async () => {
    await engine.close();
    for (const disk of mounts.splice(0)) disk.unmount();
  });
  afterAll(() => rmSync(source, { recursive: true, force: true }));

  /** Claimed and planned, with half of the units in place. */
  async function halfWay(to: string): Promise<{ ref: PullRef; units: number }> {
    engine = engineOf();
    const request = requestOf(source, to);
    const resolved = await engine.resolve({ request }, context);
    const { ref } = await engine.claim({ pullId: 'p', runId: 'r', request, resolved }, context);
    const { units } = await engine.planPage({ ref, page: 0 }, context);
    for (let unit = 0; unit < units / 2; unit += 1)
      await engine.fetchUnit({ ref, page: 0, unit }, context);
    return { ref, units };
  }

  async function fetchAll(ref: PullRef, units: number): Promise<number> {
    let fetched = 0;
    for (let unit = 0; unit < units; unit += 1)
      fetched += (await engine.fetchUnit({ ref, page: 0, unit }, context)).bytesFetched;
    return fetched;
  }

  async function expectGoesOn(ref: PullRef, units: number, to: string): Promise<void> {
    // Half of the bytes are there: they do not come again.
    expect(await fetchAll(ref, units)).toBe(20 * 64 * KiB);
    expect(await engine.seal({ ref }, context)).toMatchObject({ ok: true, files: 40 });
    expect(await digestsOfTree(to)).toEqual(await digestsOfTree(source));
    expect(await verifyTree(to)).toMatchObject({ ok: true });
  }

  it.each([
    ['tmpfs', (): Mounted => mountTmpfs({ sizeBytes: 6 * MiB })],
    ['ext4', (): Mounted => mountExt4({ sizeBytes: 24 * MiB })],
  ])('rule 18: a full %s is one error; what is in place stays, half files go', async (_, make) => {
    const disk = mounted(make());
    const to = join(disk.path, 'churn');
    const { ref, units } = await halfWay(to);
    const ballast = fill(disk.path);
    const refused = { code: 'WB_NO_SPACE', exitCode: 7, scope: 'destination', retryable: true };
    await expect(fetchAll(ref, units)).rejects.toMatchObject(refused);
    await expect(fetchAll(ref, units)).rejects.toThrow(/the disk is full \(ENOSPC\)/);
    expect(namesIn(join(ref.recordDir, 'partial'))).toEqual([]);
    expect(namesIn(join(ref.recordDir, 'journal')).length).toBeGreaterThan(0);
    expect(existsSync(join(ref.recordDir, 'receipt.json'))).toBe(false);
    rmSync(ballast);
    await expectGoesOn(ref, units, to);
  });

  it('rule 18: what cannot fit is refused before a byte comes', async () => {
    const disk = mounted(mountTmpfs({ sizeBytes: 1 * MiB }));
    engine = engineOf();
    const to = join(disk.path, 'churn');
    await expect(pullWith(engine, requestOf(source, to))).rejects.toMatchObject({
      code: 'WB_NO_SPACE',
      message: expect.stringMatching(/bytes free, the pull needs \d+ so far/),
    });
    expect(existsSync(to)).toBe(false);
  });

  it('rule 18: a file system without inodes says so, although df shows space', async () => {
    const disk = mounted(mountTmpfs({ sizeBytes: 16 * MiB, inodes: 60 }));
    const to = join(disk.path, 'churn');
    const { ref, units } = await halfWay(to);
    const folder = join(disk.path, 'others');
    mkdirSync(folder);
    for (let index = 0; statfsSync(disk.path).ffree > 0; index += 1)
      writeFileSync(join(folder, `${index}`), '');
    await expect(fetchAll(ref, units)).rejects.toMatchObject({
      code: 'WB_NO_SPACE',
      message: expect.stringContaining('no inodes left, see df -i (ENOSPC)'),
    });
    rmSync(folder, { recursive: true });
    await expectGoesOn(ref, units, to);
  });

  it('rule 18: a file system that became read-only is one error, and the pull goes on after the mend', async () => {
    const disk = mounted(mountExt4({ sizeBytes: 24 * MiB }));
    const to = join(disk.path, 'churn');
    const { ref, units } = await halfWay(to);
    // Nothing may be open for writing; what the engine holds is its journal.
    await engine.close();
    disk.remount('ro');
    engine = engineOf();
    await expect(fetchAll(ref, units)).rejects.toMatchObject({
      code: 'WB_NO_SPACE',
      message: expect.stringContaining('the file system is read-only (EROFS)'),
    });
    disk.remount('rw');
    await expectGoesOn(ref, units, to);
  });

  it('rule 14: a device that loses what it was given is noticed by the flush, before a name appears', async () => {
    // An image that promises more than the disk below it has, as thin volumes do.
    const below = mounted(mountTmpfs({ sizeBytes: 2 * MiB }));
    const disk = mounted(mountExt4({ sizeBytes: 24 * MiB, at: below.path }));
    engine = engineOf();
    const to = join(disk.path, 'churn');
    await expect(pullWith(engine, requestOf(source, to), 'r')).rejects.toMatchObject({
      scope: 'destination',
      message: expect.stringMatching(/\((?:EIO|EROFS|ENOSPC)\)$/),
    });
    const wanted = await digestsOfTree(source);
    for (const [path, digest] of await digestsOfTree(to)) expect(digest).toBe(wanted.get(path));
    expect(existsSync(join(to, '.waybill/receipt.json'))).toBe(false);
  });
});

describe('a disk that takes a part of a large file', () => {
  const large = randomBytes(40 * MiB);
  let server: CutServer;
  let engine: TransferEngine;

  beforeAll(async () => {
    server = await startCutServer();
    server.serve('/model.bin', serveFile(large, { etag: '"v1"' }));
    engine = engineOf();
  });
  afterAll(async () => {
    await engine.close();
    await server.stop();
  });

  it('rule 12: a file of a weak version that does not fit twice comes again, and ends', async () => {
    const disk = mountTmpfs({ sizeBytes: 64 * MiB });
    const body = randomBytes(48 * MiB);
    const weak = serveFile(body, { lastModified: 'Mon, 01 Jan 2024 00:00:00 GMT' });
    server.serve('/weak.bin', (request) => ({ ...weak(request), bytesPerSecond: 32 * MiB }));
    const to = join(disk.path, 'model.bin');
    const partial = join(disk.path, '.model.bin.waybill', 'partial');
    const recorded = (): number =>
      namesIn(partial)
        .filter((name) => name.endsWith('.parts'))
        .flatMap((name) => readSidecar(join(partial, name)).extents)
        .reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    try {
      const control = new AbortController();
      const request = requestOf(`${server.url}/weak.bin`, to);
      const stopped = expect(
        pullWith(engine, request, 'run', contextOf(control.signal)),
      ).rejects.toThrow('stopped by the test');
      await until('most of it is there', () => recorded() > 36 * MiB);
      control.abort(new Error('stopped by the test'));
      await stopped;
      server.serve('/weak.bin', weak);
      expect(await pullWith(engine, request)).toMatchObject({
        ok: true,
        files: 1,
        bytesFetched: 48 * MiB,
      });
      expect(readFileSync(to).equals(body)).toBe(true);
      expect(namesIn(partial)).toEqual([]);
    } finally {
      disk.unmount();
    }
  });

  it.each(['ENOSPC', 'EDQUOT', 'EIO'] as const)(
    'rule 18: after %s in the middle the recorded parts are kept, and the same command goes on',
    async (errno) => {
      const disk = await startFaultFs();
      try {
        await disk.fault({ kind: 'write', path: '/partial/[^.]*$', errno, offset: 34 * MiB });
        const to = join(disk.path, 'model.bin');
        const request = requestOf(`${server.url}/model.bin`, to);
        await expect(pullWith(engine, request)).rejects.toMatchObject({
          code: errno === 'EIO' ? 'WB_DESTINATION_FAILED' : 'WB_NO_SPACE',
          scope: 'destination',
        });
        const folder = join(disk.path, '.model.bin.waybill/partial');
        const sidecar = namesIn(folder).find((name) => name.endsWith('.parts')) ?? '';
        const kept = readSidecar(join(folder, sidecar)).extents;
        const keptBytes = kept.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
        expect(keptBytes).toBeGreaterThan(0);
        await disk.clear();
        const result = await pullWith(engine, request);
        expect(result).toMatchObject({ ok: true, bytesFetched: large.length - keptBytes });
        expect(await verifyTree(to)).toMatchObject({ ok: true });
      } finally {
        await disk.stop();
      }
    },
  );
});

/** Leaves no byte free. */
function fill(disk: string): string {
  const path = join(disk, 'ballast');
  const file = openSync(path, 'w');
  for (const size of [256 * KiB, 4 * KiB, 1 * KiB]) {
    while (tookAll(file, size));
  }
  closeSync(file);
  return path;
}

function tookAll(file: number, size: number): boolean {
  try {
    return writeSync(file, Buffer.alloc(size)) === size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    return false;
  }
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
