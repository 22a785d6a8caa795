/** A disk that is full in the middle of a pull, and is mended: a file system of its own, of a few megabytes. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openWaybill, type WaybillBed, type WaybillRun } from '../helpers/waybill.js';

const LONG_MS = 300_000;
const MiB = 1024 * 1024;

let bed: WaybillBed;
let source: string;
/** Three probes take half a minute: both go at once, each on a disk and with a service of its own. */
let staysFull: Promise<WaybillRun>;
let isMended: Promise<WaybillRun>;

beforeAll(() => {
  bed = openWaybill();
  source = join(bed.dir, 'source');
  mkdirSync(source);
  for (let index = 0; index < 12; index += 1) {
    writeFileSync(join(source, `part-${String(index).padStart(2, '0')}.bin`), randomBytes(MiB));
  }
  staysFull = onSmallDisk(
    'stays-full',
    `"$@"; echo "exit $?" >&2; rm "$0/ballast"; "$@" --max-bandwidth never`,
  );
  // The room comes when the pull has said that it is blocked.
  isMended = onSmallDisk(
    'is-mended',
    `"$@" 2>"$0.log" & pid=$!; until grep -q blocked "$0.log"; do sleep 0.1; done; rm "$0/ballast"; wait $pid; code=$?; cat "$0.log" >&2; exit $code`,
  );
  for (const run of [staysFull, isMended]) run.catch(() => undefined);
});

afterAll(async () => {
  await Promise.allSettled([staysFull, isMended]);
  await bed.close();
}, LONG_MS);

/** Runs a script where `$0` is a new file system of 16 MiB that nobody else sees; a pull into it follows as `$@`. */
function onSmallDisk(name: string, script: string): Promise<WaybillRun> {
  const place = join(bed.dir, name);
  mkdirSync(place);
  const args = ['pull', source, join(place, 'tree'), '--max-bandwidth', '2MiB/s'];
  const mount = 'mount -t tmpfs -o size=16m waybill "$0"';
  // Somebody else fills it as soon as the first file is there.
  const fill =
    'until ls "$0"/tree/part-* >/dev/null 2>&1; do sleep 0.05; done; cat /dev/zero >"$0/ballast" 2>/dev/null';
  return bed.run(args, {
    env: { WAYBILL_SERVICE: 'inline' },
    stateDir: join(bed.dir, `inline-${name}`),
    runner: [
      'unshare',
      '--map-root-user',
      '--mount',
      'sh',
      '-c',
      `${mount}; (${fill}) & ${script}`,
      place,
    ],
  });
}

describe('rule 18: a disk that is full', () => {
  it(
    'is one event: after three vain probes exit 7, and the same command goes on when there is room',
    async () => {
      const run = await staysFull;
      expect(run.stderr).toContain('exit 7');
      expect(run.stderr).toContain('the disk is full (ENOSPC)');
      // One event, not one for each of the files that had no room.
      expect(run.stderr).not.toMatch(/\d+ files? failed/u);
      expect({ exitCode: run.exitCode, stderr: run.stderr }).toMatchObject({ exitCode: 0 });
      expect(run.stdout).toContain('12 files');
    },
    LONG_MS,
  );

  it(
    'and mended goes on by itself, in the same command',
    async () => {
      const run = await isMended;
      expect({ exitCode: run.exitCode, stderr: run.stderr }).toMatchObject({ exitCode: 0 });
      expect(run.stderr).toMatch(/blocked.*the disk is full/u);
      expect(run.stdout).toContain('12 files');
    },
    LONG_MS,
  );
});
