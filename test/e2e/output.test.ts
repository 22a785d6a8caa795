/** What a pull looks like where there is no terminal, a dumb one, one without colours, and one full of retries. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { ensureTmux, type Terminal } from '../helpers/terminal.js';
import { openWaybill, type RunningWaybill, type WaybillBed } from '../helpers/waybill.js';
import { startSlowSource, type SlowSource } from './half-way.js';

const LONG_MS = 300_000;
/** As many as there are lanes. */
const PARTS = Array.from({ length: 6 }, (_, index) => `part-${index + 1}.bin`);
/** Least time between two lines of one phase. */
const LINE_MS = 5_000;

let source: SlowSource;
let shaky: CutServer;
let bed: WaybillBed;
let isSlow = true;
/** It takes its time: the others run beside it. */
let piped: { readonly running: RunningWaybill; readonly startedAt: number };

beforeAll(async () => {
  await ensureTmux((line) => void process.stderr.write(`${line}\n`));
  [source, shaky] = await Promise.all([startSlowSource(), startCutServer()]);
  serveParts();
  bed = openWaybill();
  expect((await bed.run(['up'])).exitCode).toBe(0);
  const startedAt = performance.now();
  const running = bed.start(['pull', source.uri('piped'), join(bed.dir, 'piped.bin')]);
  piped = { running, startedAt };
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  await Promise.all([source.stop(), shaky.stop()]);
}, LONG_MS);

/** Each part fails twice, each time in another way and not all at once, and is slow then. */
function serveParts(): void {
  const body = randomBytes(64 * 1024);
  const digest = createHash('sha256').update(body).digest('hex');
  shaky.serve('/SHA256SUMS', { body: PARTS.map((name) => `${digest}  ${name}\n`).join('') });
  for (const [index, name] of PARTS.entries()) {
    let gets = 0;
    shaky.serve(`/${name}`, (request) => {
      const pace = isSlow ? { bytesPerSecond: 1024 } : {};
      if (request.method === 'HEAD') return serveFile(body, { etag: '"1"' })(request);
      gets += 1;
      if (gets > 2) return serveFile(body, { etag: '"1"', ...pace })(request);
      return { status: gets === 1 ? 503 : 500, delayMs: 600 * index };
    });
  }
}

async function pullIn(
  name: string,
  env: Readonly<Record<string, string>>,
  run: (terminal: Terminal) => Promise<void>,
): Promise<void> {
  const to = join(bed.dir, `${name}.bin`);
  const terminal = await bed.inTerminal(['pull', source.uri(name), to], { env, columns: 200 });
  try {
    await source.untilHalfWay(to);
    await run(terminal);
    await terminal.type('\x03');
    expect(await terminal.exitCode()).toBe(130);
  } finally {
    await terminal.close();
  }
}

describe('a pull', () => {
  it(
    'is coloured in a terminal, and not with NO_COLOR',
    async () => {
      await pullIn('coloured', {}, async (terminal) => {
        await terminal.untilScreen(/^Ctrl-C pauses/mu);
        expect(await terminal.colours()).toContain('\u001b[');
      });
      await pullIn('plain', { NO_COLOR: '1' }, async (terminal) => {
        await terminal.untilScreen(/^Ctrl-C pauses/mu);
        expect(await terminal.colours()).not.toContain('\u001b[');
      });
    },
    LONG_MS,
  );

  it(
    'is told in lines, without a picture and without a colour, where the terminal is dumb',
    async () => {
      await pullIn('dumb', { TERM: 'dumb' }, async (terminal) => {
        const screen = await terminal.untilScreen(/^fetching: .*0 of 1 file/mu);
        expect(screen).not.toMatch(/━|─|^Ctrl-C pauses/mu);
        expect(await terminal.colours()).not.toContain('\u001b[');
      });
    },
    LONG_MS,
  );

  it(
    'is one picture below its retries, ten of them and more',
    async () => {
      const args = ['pull', `${shaky.url}/SHA256SUMS`, join(bed.dir, 'shaky')];
      const terminal = await bed.inTerminal(args, { columns: 120, rows: 30 });
      try {
        const retries = /^try [23] of part-\d\.bin: .*(503|500)/u;
        await terminal.untilScreen(/^try 3 of part-6\.bin/mu);
        const pictures = (rows: readonly string[]): number =>
          rows.filter((row) => row.startsWith('fetching  ')).length;
        await terminal.untilRows('one picture', (rows) => pictures(rows) === 1);
        const lines = await terminal.history();
        const told = lines.filter((line) => retries.test(line));
        expect(told.length).toBeGreaterThanOrEqual(10);
        expect(new Set(told).size).toBe(told.length);
        expect(pictures(lines)).toBeLessThan(2);
        // A look may fall into the moment in which it is drawn anew.
        await terminal.untilRows('the picture below the retries', (rows) => {
          const picture = rows.findIndex((row) => row.startsWith('fetching  '));
          return picture > rows.findLastIndex((row) => retries.test(row));
        });
        isSlow = false;
        shaky.dropConnections();
        expect(await terminal.exitCode()).toBe(0);
        const left = await terminal.screen();
        expect(left.join('\n')).toMatch(/^6 files, 393 kB: 6 published$/mu);
      } finally {
        await terminal.close();
      }
    },
    LONG_MS,
  );

  it(
    'is a line now and then where nobody looks at it, and no more',
    async () => {
      const { running, startedAt } = piped;
      const fetching = (): string[] =>
        running
          .stderr()
          .split('\n')
          .filter((line) => line.startsWith('fetching: '));
      await running.untilOutput(/(^fetching: .*\n(.*\n)*){3}/mu);
      const seconds = (performance.now() - startedAt) / 1_000;
      expect(fetching().length).toBeLessThanOrEqual(seconds / (LINE_MS / 1_000) + 1);
      for (const line of fetching()) {
        expect(line).toMatch(/^fetching: [\d.]+ [kM]?B of 42 MB, 0 of 1 file(, .*)?$/u);
      }
      source.hurry();
      const { exitCode, stdout, stderr } = await running.done;
      expect([exitCode, stdout]).toEqual([0, '1 file, 42 MB: 1 size\n']);
      expect(stderr).not.toContain('\u001b');
    },
    LONG_MS,
  );
});
