/** FIFOs, sockets and devices at a source on disk: left out, reported, never opened. */
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { provenLine } from '../../src/cli/progress/summary.js';
import { traceCalls } from '../helpers/strace.js';
import { ThereBed } from '../helpers/there.js';

const MAIN = join(import.meta.dirname, '../../src/cli/main.js');
const LONG_MS = 120_000;

describe('a folder with FIFOs, sockets and devices', () => {
  let bed: ThereBed;
  let from: string;
  const socket = createServer();

  beforeAll(async () => {
    bed = await ThereBed.open('special');
    ({ from } = await bed.fresh({ 'a.bin': 'a', 'run/b.bin': 'b' }));
    execFileSync('mkfifo', [join(from, 'run/pipe'), join(from, 'SHA256SUMS')]);
    execFileSync('mknod', [join(from, 'null'), 'c', '1', '3']);
    symlinkSync('run/pipe', join(from, 'link'));
    await new Promise<void>((resolve) => socket.listen(join(from, 'run/app.sock'), resolve));
  });
  afterAll(async () => {
    await new Promise((resolve) => socket.close(resolve));
    await bed.close();
  });

  it('rule 24: are skipped and reported: the receipt counts them by kind and names them, the last line tells', async () => {
    const to = join(bed.root, 'to');
    const result = await bed.pull(from, to);
    expect(result).toMatchObject({
      ok: true,
      files: 2,
      filesSkipped: 5,
      specials: { fifo: 3, socket: 1, device: 1 },
      warnings: ['left out, never opened: 3 FIFOs, 1 socket, 1 device ("SHA256SUMS", …)'],
    });
    expect(provenLine(result)).toBe('2 files, 2 B: 2 size; skipped: 3 FIFOs, 1 socket, 1 device');
    const receipt = JSON.parse(readFileSync(join(to, '.waybill/receipt.json'), 'utf8')) as {
      skipped: unknown;
    };
    expect(receipt.skipped).toEqual({
      records: { count: 0, first: [] },
      special: {
        count: 5,
        first: ['SHA256SUMS', 'link', 'null', 'run/app.sock', 'run/pipe'],
        kinds: { fifo: 3, socket: 1, device: 1 },
      },
    });
    expect(['run/pipe', 'null', 'link'].filter((name) => existsSync(join(to, name)))).toEqual([]);
  });

  it('rule 24: what filters leave out is not reported, and what --files-from names is missed by its kind', async () => {
    const none = { include: [], exclude: [] };
    const filtered = await bed.pull(from, join(bed.root, 'filtered'), {
      filters: { ...none, exclude: ['run/', 'SHA256SUMS', 'link'] },
    });
    expect(filtered).toMatchObject({ ok: true, files: 1, specials: { device: 1 } });
    const named = await bed.pull(from, join(bed.root, 'named'), {
      filters: { ...none, files: ['a.bin', 'run/pipe'] },
    });
    expect(named).toMatchObject({ ok: false, exitCode: 3, files: 1 });
    expect(named.failures).toMatchObject([
      {
        path: 'run/pipe',
        message: 'run/pipe is in --files-from and is not at the source: a FIFO has its name',
      },
    ]);
  });

  it('rule 24: a receipt tells of its own plan only', async () => {
    const { from: other, to } = await bed.fresh({ a: 'a' });
    execFileSync('mkfifo', [join(other, 'pipe')]);
    expect(await bed.pull(other, to)).toMatchObject({ specials: { fifo: 1 } });
    execFileSync('rm', [join(other, 'pipe')]);
    writeFileSync(join(other, 'b'), 'b');
    const again = await bed.pull(other, to);
    expect(again).toMatchObject({ ok: true, files: 2, filesSkipped: 0, warnings: [] });
    expect(again.specials).toBeUndefined();
  });

  it(
    'rule 24: a dry run and ls show them, and neither opens one',
    async () => {
      mkdirSync(join(bed.root, 'trace'));
      const opened = async (name: string, words: readonly string[]): Promise<readonly string[]> => {
        const log = join(bed.root, 'trace', name);
        const calls = await traceCalls(log, ['open', 'openat'], [process.execPath, MAIN, ...words]);
        return calls.map(({ args }) => args).filter((args) => args.includes(from));
      };
      const dry = await opened('dry', ['pull', from, join(bed.root, 'dry'), '--dry-run', '--json']);
      const listed = await opened('ls', ['ls', '-r', from]);
      // It is seen at all: the folders are opened.
      expect(dry.some((args) => args.includes('"'))).toBe(true);
      for (const args of [...dry, ...listed]) {
        expect(args).not.toMatch(/pipe|SHA256SUMS|app\.sock|null"|link"/);
      }
    },
    LONG_MS,
  );
});
