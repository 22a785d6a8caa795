/** The disk of the state folder is full: a pull says which, and the same command goes on when there is room. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mountTmpfs, type Mounted } from '../helpers/mount.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

const LONG_MS = 240_000;
const KiB = 1024;
const MiB = 1024 * KiB;
const DISK = 32 * MiB;

let disk: Mounted;
let bed: WaybillBed;

beforeEach(() => {
  disk = mountTmpfs({ sizeBytes: DISK });
  bed = openWaybill(join(disk.path, 'bed'));
  mkdirSync(join(bed.dir, 'source'));
  writeFileSync(join(bed.dir, 'source/weights'), 'weights');
});
afterEach(async () => {
  await bed.close();
  disk.unmount();
}, LONG_MS);

/** Somebody else takes all but so much; answers how it is given back. */
function fill(leftBytes: number): () => void {
  const ballast = join(disk.path, 'ballast');
  try {
    writeFileSync(ballast, Buffer.alloc(DISK));
  } catch {
    // As much as there was room for.
  }
  if (leftBytes > 0) {
    rmSync(ballast);
    writeFileSync(ballast, Buffer.alloc(DISK - leftBytes));
  }
  return () => rmSync(ballast);
}

describe('a state folder without room', () => {
  it.each([0, 256 * KiB])(
    'is the reason that is told with %i bytes left, and room mends it',
    async (leftBytes) => {
      mkdirSync(bed.stateDir, { mode: 0o700 });
      const clear = fill(leftBytes);
      const failed = await bed.run(['pull', 'source', 'out', '--json']);
      expect(failed).toMatchObject({ exitCode: 10 });
      expect(failed.result).toMatchObject({ ok: false, code: 'WB_TEMPORAL_UNREACHABLE' });
      expect(failed.stderr).toContain(`waybill: no space is left in ${bed.stateDir}, where`);
      expect(failed.stderr).toContain('  Make room there, or set WAYBILL_STATE_DIR');
      clear();
      const again = await bed.run(['pull', 'source', 'out', '--json']);
      expect({ stderr: again.stderr, result: again.result }).toMatchObject({
        result: { ok: true, exitCode: 0 },
      });
    },
    LONG_MS,
  );
});
