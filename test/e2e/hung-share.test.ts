/** Pulls from and onto a share whose server stops answering in the middle: calls to it do not come back (rule 27). */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startFaultFs, type DiskFault, type FaultFs } from '../helpers/faultfs.js';
import { partsInPlace } from '../helpers/parts-in-place.js';
import { digestsOfTree } from '../helpers/tree.js';
import { openWaybill, type RunningWaybill, type WaybillBed } from '../helpers/waybill.js';

const LONG_MS = 400_000;
const MiB = 1024 * 1024;
const KINDS: readonly DiskFault['kind'][] = [
  ...(['lookup', 'getattr', 'open', 'read', 'readdir', 'statfs', 'create', 'write'] as const),
  ...(['fsync', 'flush', 'rename', 'mkdir', 'unlink', 'link', 'setattr'] as const),
];

let bed: WaybillBed;
/** A tree on a share, and one on this host. */
let from: { readonly share: FaultFs; readonly tree: string };
let here: string;
const shares: FaultFs[] = [];

beforeAll(async () => {
  bed = openWaybill();
  here = join(bed.dir, 'here');
  fill(here);
  const share = await mounted();
  from = { share, tree: join(share.path, 'tree') };
  fill(from.tree);
}, LONG_MS);

afterAll(async () => {
  // The service ends whatever still hangs.
  await bed.close();
  for (const share of shares) await share.stop();
}, LONG_MS);

async function mounted(): Promise<FaultFs> {
  const share = await startFaultFs({ isShare: true });
  shares.push(share);
  return share;
}

function fill(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (let index = 0; index < 12; index += 1) {
    writeFileSync(join(folder, `part-${String(index).padStart(2, '0')}.bin`), randomBytes(MiB));
  }
}

/** From now on nothing that is asked of the share comes back. */
async function hang(share: FaultFs): Promise<void> {
  for (const kind of KINDS) await share.fault({ kind, errno: 'HANG' });
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(20);
}

/** A pull whose share has stopped answering, and which waits for it. */
async function startHung(share: FaultFs, source: string, to: string): Promise<RunningWaybill> {
  const pulling = bed.start(['pull', source, to, '--max-bandwidth', '1MiB/s']);
  let isOver = false;
  void pulling.done.finally(() => (isOver = true)).catch(() => undefined);
  await until(() => {
    if (isOver) throw new Error(`it ended before it was half-way:\n${pulling.stderr()}`);
    return partsInPlace(to) > 0;
  });
  await hang(share);
  await until(async () => (await share.status()).hanging > 0);
  return pulling;
}

/** The share does not answer, and nobody else is held up: pulls on this host, `status` of the one that waits. */
async function expectOthersGoOn(waiting: string, name: string): Promise<void> {
  const to = join(bed.dir, name);
  expect(await bed.run(['pull', here, to])).toMatchObject({ exitCode: 0 });
  expect(await digestsOfTree(to)).toEqual(await digestsOfTree(here));
  const status = await bed.run(['status', waiting, '--json']);
  expect(status).toMatchObject({ exitCode: 0 });
}

async function expectWhole(to: string, source: string): Promise<void> {
  expect(await digestsOfTree(to)).toEqual(await digestsOfTree(source));
  expect(await bed.run(['verify', to])).toMatchObject({ exitCode: 0 });
}

describe('a source on a share that hangs', () => {
  it(
    'rules 27 and 28: holds nobody else up; Ctrl-C pauses the pull, cancel ends it, and the same command goes on when it answers',
    async () => {
      const to = join(bed.dir, 'from-share');
      const pulling = await startHung(from.share, from.tree, to);
      await expectOthersGoOn(to, 'beside-source');
      pulling.signal('SIGINT');
      expect(await pulling.done).toMatchObject({ exitCode: 130 });
      for (const command of ['ls', 'verify']) {
        const { exitCode, stderr } = await bed.run([command, from.tree]);
        expect([command, exitCode]).toEqual([command, command === 'ls' ? 12 : 7]);
        expect(stderr).toContain(`at ${from.share.path} does not answer`);
      }
      const cancelled = await bed.run(['cancel', to, '--json']);
      expect(cancelled).toMatchObject({ exitCode: 0 });
      await from.share.clear();
      const again = await bed.run(['pull', from.tree, to, '--json']);
      expect(again.result).toMatchObject({ exitCode: 0, files: 12 });
      await expectWhole(to, from.tree);
    },
    LONG_MS,
  );
});

describe('a destination on a share that hangs', () => {
  it(
    'rules 27 and 28: holds nobody else up, leaves Ctrl-C to the command, and the same command goes on when it answers',
    async () => {
      const share = await mounted();
      const to = join(share.path, 'model');
      const pulling = await startHung(share, here, to);
      await expectOthersGoOn(to, 'beside-destination');
      pulling.signal('SIGINT');
      expect(await pulling.done).toMatchObject({ exitCode: 130 });
      const vain = await bed.run(['pull', here, to, '--json']);
      expect(vain.result).toMatchObject({ code: 'WB_DESTINATION_FAILED', exitCode: 7 });
      await share.clear();
      const again = await bed.run(['pull', here, to, '--json']);
      expect(again.result).toMatchObject({ exitCode: 0, files: 12 });
      await expectWhole(to, here);
    },
    LONG_MS,
  );
});
