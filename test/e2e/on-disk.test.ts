/** What lies on disk at both ends of a pull, through the command line: things that are no files, parts that were damaged. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { readSidecar } from '../../src/transfer/sidecar.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';
import { startSlowSource, type SlowSource } from './half-way.js';

const LONG_MS = 300_000;

let bed: WaybillBed;
let source: SlowSource;

beforeAll(async () => {
  bed = openWaybill();
  source = await startSlowSource();
}, LONG_MS);
afterAll(async () => {
  await source.stop();
  await bed.close();
}, LONG_MS);

describe('a source with things that are no files', () => {
  it(
    'rule 24: they are told in the last line, in the result, by ls and by a dry run, and exit 0',
    async () => {
      const from = join(bed.dir, 'from');
      mkdirSync(from);
      writeFileSync(join(from, 'a.bin'), 'a');
      execFileSync('mkfifo', [join(from, 'pipe')]);
      const plain = await bed.run(['pull', from, 'plain']);
      expect(plain.exitCode).toBe(0);
      expect(plain.stdout.trimEnd().split('\n').at(-1)).toBe(
        '1 file, 1 B: 1 size; skipped: 1 FIFO',
      );
      expect(plain.stderr).toContain('warning: left out, never opened: 1 FIFO ("pipe")');
      const { result } = await bed.run(['pull', from, 'plain', '--json']);
      expect(result).toMatchObject({ ok: true, filesSkipped: 1, specials: { fifo: 1 } });
      const listed = await bed.run(['ls', from]);
      expect(listed.stdout).toMatch(/ pipe {2}\(skipped: a FIFO\)$/mu);
      expect(listed.stderr).toContain('1 file, 1 B; skipped: 1 FIFO');
      const lines = await bed.run(['ls', from, '--json']);
      expect(lines.events).toMatchObject([
        { kind: 'file' },
        { kind: 'special', special: 'fifo' },
        { ok: true },
      ]);
      const quiet = await bed.run(['ls', from, '-q']);
      expect(quiet.stdout).toBe('a.bin\n');
      const dry = await bed.run(['pull', from, 'other', '--dry-run']);
      expect(dry.stdout).toMatch(/^skip .* pipe {2}\(a FIFO, never opened\)$/mu);
    },
    LONG_MS,
  );
});

describe('a part that was damaged between a kill and the same command', () => {
  it(
    'rule 16: is fetched again, and nothing else that is recorded: the file is whole',
    async () => {
      const destination = join(bed.dir, 'model.bin');
      const uri = source.uri('damaged');
      const pulling = bed.start(['pull', uri, destination]);
      await source.untilHalfWay(destination);
      const { result } = await bed.run(['doctor', '--json']);
      const { service, worker } = result['processes'] as { service: number; worker: number };
      pulling.signal('SIGKILL');
      for (const pid of [service, worker]) process.kill(pid, 'SIGKILL');
      await pulling.done;
      const folder = join(bed.dir, '.model.bin.waybill/partial');
      const sidecar = readdirSync(folder).find((name) => name.endsWith('.parts')) ?? '';
      const { extents } = readSidecar(join(folder, sidecar));
      const [first] = extents;
      expect(first?.lengthBytes).toBeGreaterThan(1_000);
      flip(join(folder, sidecar.replace(/\.parts$/u, '')), (first?.offsetBytes ?? 0) + 999);
      const before = source.bytesServed('damaged');
      source.hurry();
      const again = await bed.run(['pull', uri, destination, '--json']);
      expect(again.exitCode).toBe(0);
      source.expectWhole(destination);
      const recorded = extents.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
      const fetched = source.bytesServed('damaged') - before;
      // All that was not recorded, and the damaged part.
      const unrecorded = statSync(destination).size - recorded;
      expect(fetched).toBeGreaterThanOrEqual(unrecorded + (first?.lengthBytes ?? 0));
      expect(again.result).toMatchObject({ ok: true, files: 1 });
    },
    LONG_MS,
  );
});

function flip(path: string, offset: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, offset);
  byte.writeUInt8(byte.readUInt8(0) ^ 1, 0);
  writeSync(file, byte, 0, 1, offset);
  closeSync(file);
}
