/** Pulls whose destination goes away, or takes no more, in the middle: blocked, then mended, through the command line. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mountShare, mountTmpfs, type Mounted, type Share } from '../helpers/mount.js';
import { digestsOfTree } from '../helpers/tree.js';
import { openWaybill, type RunningWaybill, type WaybillBed } from '../helpers/waybill.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;
const FILES = 12;

let bed: WaybillBed;
let source: string;
const mounts: Mounted[] = [];
/** Its three probes take half a minute: the other tests run beside it. */
let staysAway: { readonly share: Share; readonly to: string; readonly pulling: RunningWaybill };

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
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  for (const disk of mounts) disk.unmount();
}, LONG_MS);

function mounted<T extends Mounted>(disk: T): T {
  mounts.push(disk);
  return disk;
}

/** A pull that is slow enough to be met half-way; answers when the first file is in place. */
async function startHalfWay(to: string, on: WaybillBed = bed): Promise<RunningWaybill> {
  const pulling = on.start(['pull', source, to, '--max-bandwidth', '2MiB/s']);
  await until(() => existsSync(to) && readdirSync(to).some((name) => name.startsWith('part-')));
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
    'rule 7: that stays away ends the pull with 10 after three vain probes, and the same command goes on when it is back',
    async () => {
      const { share, to, pulling } = staysAway;
      const { exitCode, stderr } = await pulling.done;
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 10 });
      expect(stderr).toContain(`the share under ${share.path} is not mounted`);
      expect(readdirSync(share.path)).toEqual([]);
      share.back();
      const before = readdirSync(to).filter((name) => name.startsWith('part-')).length;
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
      const running = await startHalfWay(first);
      const waiting = bed.start(['pull', source, second]);
      await waiting.untilOutput(/blocked.*promised to the pull into/u);
      expect(waiting.stderr()).toContain(`promised to the pull into ${first}`);
      const { result } = await bed.run(['status', second, '--json']);
      expect(result).toMatchObject({ progress: { phase: 'blocked', bytesDone: 0 } });
      disk.remount('size=40m');
      await expectWhole(waiting, second);
      await expectWhole(running, first);
    },
    LONG_MS,
  );
});
