/** Pulls whose destination goes away, or takes no more, in the middle: blocked, then mended, through the command line. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFaultFs } from '../helpers/faultfs.js';
import { mountShare, mountTmpfs, type Mounted, type Share } from '../helpers/mount.js';
import { partsInPlace } from '../helpers/parts-in-place.js';
import { digestsOfTree } from '../helpers/tree.js';
import { openWaybill, type RunningWaybill, type WaybillBed } from '../helpers/waybill.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;
const FILES = 12;

let bed: WaybillBed;
let source: string;
const mounts: Mounted[] = [];
/** Three probes take half a minute: the other tests run beside these two. */
let staysAway: { readonly share: Share; readonly to: string; readonly pulling: RunningWaybill };
let staysFull: { readonly disk: Mounted; readonly to: string; readonly pulling: RunningWaybill };

beforeAll(async () => {
  bed = openWaybill();
  source = join(bed.dir, 'source');
  mkdirSync(source);
  for (let index = 0; index < FILES; index += 1) {
    writeFileSync(join(source, `part-${String(index).padStart(2, '0')}.bin`), randomBytes(MiB));
  }
  const share = mounted(mountShare({ sizeBytes: 32 * MiB }));
  const to = join(share.path, 'model');
  staysAway = { share, to, pulling: await startHalfWay(to) };
  share.away();
  const disk = mounted(mountTmpfs({ sizeBytes: 16 * MiB }));
  const full = join(disk.path, 'model');
  staysFull = { disk, to: full, pulling: await startHalfWay(full, bed, '--json') };
  fillForEver(join(disk.path, 'ballast'));
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  for (const disk of mounts) disk.unmount();
}, LONG_MS);

function mounted<T extends Mounted>(disk: T): T {
  mounts.push(disk);
  return disk;
}

/** Takes every byte that is free, and every byte that comes free, for as long as the ballast is there. */
function fillForEver(ballast: string): void {
  writeFileSync(ballast, '');
  const script = 'while [ -e "$0" ]; do cat /dev/zero >>"$0"; sleep 0.05; done';
  spawn('sh', ['-c', script, ballast], { stdio: 'ignore' });
}

/** A pull that is slow enough to be met half-way; answers when the first file is in place. */
async function startHalfWay(
  to: string,
  on: WaybillBed = bed,
  ...more: readonly string[]
): Promise<RunningWaybill> {
  const pulling = on.start(['pull', source, to, '--max-bandwidth', '2MiB/s', ...more]);
  let isOver = false;
  void pulling.done.finally(() => (isOver = true)).catch(() => undefined);
  await until(() => {
    if (isOver) throw new Error(`it ended before it was half-way:\n${pulling.stderr()}`);
    return partsInPlace(to) > 0;
  });
  return pulling;
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(20);
}

async function expectWhole(pulling: RunningWaybill, to: string): Promise<void> {
  const { exitCode, stderr } = await pulling.done;
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  expect(await digestsOfTree(to)).toEqual(await digestsOfTree(source));
  expect(await bed.run(['verify', to])).toMatchObject({ exitCode: 0 });
}

describe('a share that is unmounted in the middle', () => {
  it(
    'rule 7: blocks the pull with its reason, gets nothing below its mount point, and goes on by itself when it is back',
    async () => {
      const share = mounted(mountShare({ sizeBytes: 32 * MiB }));
      const to = join(share.path, 'model');
      const pulling = await startHalfWay(to);
      share.away();
      await pulling.untilOutput(/blocked.*is not mounted/u);
      expect(pulling.stderr()).toContain(`the share under ${share.path} is not mounted`);
      const status = await bed.run(['status', to, '--json']);
      expect(status.result).toMatchObject({ progress: { phase: 'blocked' } });
      expect(readdirSync(share.path)).toEqual([]);
      share.back();
      expect(await bed.run(['retry', to])).toMatchObject({ exitCode: 0 });
      await expectWhole(pulling, to);
      share.away();
      expect(readdirSync(share.path)).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'rule 7: that stays away ends the pull with 10 after three vain probes; the same command makes no new place of the mount point, and goes on when it is back',
    async () => {
      const { share, to, pulling } = staysAway;
      const { exitCode, stderr } = await pulling.done;
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 10 });
      expect(stderr).toContain(`the share under ${share.path} is not mounted`);
      const vain = await bed.run(['pull', source, to, '--json']);
      expect(vain.result).toMatchObject({ exitCode: 10, code: 'WB_DESTINATION_NOT_HERE' });
      expect(vain.result['message']).toContain(`the share under ${share.path} is not mounted`);
      expect(readdirSync(share.path)).toEqual([]);
      share.back();
      const before = partsInPlace(to);
      expect(before).toBeGreaterThan(0);
      const again = await bed.run(['pull', source, to, '--json']);
      expect(again.result).toMatchObject({ exitCode: 0, files: FILES });
      expect(Number(again.result['filesFetched'])).toBeLessThanOrEqual(FILES - before);
      expect(await digestsOfTree(to)).toEqual(await digestsOfTree(source));
    },
    LONG_MS,
  );
});

describe('two pulls that do not fit together', () => {
  it(
    'rule 18: the second waits, says for whom, and fetches nothing before there is room',
    async () => {
      const disk = mounted(mountTmpfs({ sizeBytes: 20 * MiB }));
      const [first, second] = [join(disk.path, 'first'), join(disk.path, 'second')];
      // Slow enough to be still at it when the other one plans, however busy the machine.
      const running = await startHalfWay(first, bed, '--max-bandwidth', '256KiB/s');
      const waiting = bed.start(['pull', source, second]);
      await waiting.untilOutput(/blocked.*promised to the pull into/u);
      expect(waiting.stderr()).toContain(`promised to the pull into ${first}`);
      const { result } = await bed.run(['status', second, '--json']);
      expect(result).toMatchObject({ progress: { phase: 'blocked', bytesDone: 0 } });
      disk.remount('size=40m');
      const quick = ['tune', first, '--max-bandwidth', 'never'];
      expect(await bed.run(quick)).toMatchObject({ exitCode: 0 });
      await expectWhole(waiting, second);
      await expectWhole(running, first);
    },
    LONG_MS,
  );
});

describe('a destination that takes no more', () => {
  it(
    'rule 18: because the quota is used up, blocks the pull, which goes on when there is more',
    async () => {
      const disk = await startFaultFs();
      try {
        const to = join(disk.path, 'model');
        const pulling = await startHalfWay(to);
        await disk.fault({ kind: 'write', path: '/partial/', errno: 'EDQUOT' });
        await pulling.untilOutput(/blocked.*the quota is used up \(EDQUOT\)/u);
        await disk.clear();
        expect(await bed.run(['retry', to])).toMatchObject({ exitCode: 0 });
        await expectWhole(pulling, to);
      } finally {
        await disk.stop();
      }
    },
    LONG_MS,
  );

  it(
    'rule 18: because it was mounted read-only in the middle, blocks the pull, which goes on when it may be written again',
    async () => {
      // Its worker is killed: nobody else's shall be.
      const other = openWaybill();
      const disk = mounted(mountTmpfs({ sizeBytes: 32 * MiB }));
      try {
        const to = join(disk.path, 'model');
        const pulling = await startHalfWay(to, other, '--max-bandwidth', '512KiB/s');
        await until(() => remountedReadOnly(disk, other));
        await pulling.untilOutput(/blocked.*read-only/u);
        disk.remount('rw');
        const quick = ['tune', to, '--max-bandwidth', 'never'];
        expect(await other.run(quick)).toMatchObject({ exitCode: 0 });
        // Its own next probe may have been sooner, and the pull be over: then there is nothing to be tried again.
        const { exitCode, stderr } = await other.run(['retry', to]);
        if (exitCode !== 0) expect({ exitCode, stderr }).toMatchObject({ exitCode: 2 });
        await expectWhole(pulling, to);
      } finally {
        await other.close();
      }
    },
    LONG_MS,
  );

  it(
    'rule 18: to the last byte, not even a record, ends the pull cleanly with 7, and says so',
    async () => {
      const { disk, to, pulling } = staysFull;
      const { exitCode, result } = await pulling.done;
      expect(exitCode).toBe(7);
      expect(result).toMatchObject({ code: 'WB_NO_SPACE', exitCode: 7 });
      const warnings = (result['warnings'] as string[]).join();
      expect(warnings).toMatch(/^no receipt\.partial\.json: .*ENOSPC/u);
      expect(Number(result['files'])).toBeGreaterThan(0);
      const record = join(to, '.waybill');
      expect(readdirSync(record)).not.toContain('receipt.partial.json');
      expect(readdirSync(record)).not.toContain('owner.json');
      rmSync(join(disk.path, 'ballast'));
      const again = bed.start(['pull', source, to]);
      await expectWhole(again, to);
    },
    LONG_MS,
  );
});

/** Nothing may be open for writing: the worker is killed, and the next one is not yet there. */
async function remountedReadOnly(disk: Mounted, on: WaybillBed): Promise<boolean> {
  const { result } = await on.run(['doctor', '--json']);
  const { worker } = result['processes'] as { worker?: number };
  if (worker === undefined) return false;
  try {
    process.kill(worker, 'SIGKILL');
    await until(() => !existsSync(`/proc/${worker}/fd/0`));
    disk.remount('ro');
    return true;
  } catch {
    return false;
  }
}
