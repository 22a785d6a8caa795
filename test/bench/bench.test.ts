/** The benchmark itself, on one tiny case: what it prints, writes and draws, and what it leaves behind. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fileURLToPath } from 'node:url';
import { CASES } from '../../bench/cases/index.js';
import { parseBenchArguments } from '../../bench/lib/arguments.js';
import { tableOf } from '../../bench/lib/report.js';
import { runCase } from '../../bench/lib/run-case.js';
import { createWorld } from '../../bench/lib/world.js';
import { scratchFolder, scrubbedEnv } from '../helpers/processes.js';

const MAIN = fileURLToPath(new URL('../../bench/main.js', import.meta.url));

describe('npm run bench', () => {
  let base: string;
  let temp: string;

  beforeAll(() => {
    base = scratchFolder('bench-test');
    temp = join(base, 'tmp');
    mkdirSync(temp);
  });

  afterAll(() => {
    rmSync(base, { recursive: true, force: true });
  });

  function bench(...args: readonly string[]): ReturnType<typeof spawnSync> {
    const env = { ...scrubbedEnv(), TMPDIR: temp, HOME: base };
    const cache =
      process.env['WAYBILL_CACHE_DIR'] ?? join(process.env['HOME'] ?? '', '.cache/waybill');
    return spawnSync(process.execPath, [MAIN, ...args], {
      env: { ...env, WAYBILL_CACHE_DIR: cache },
      encoding: 'utf8',
      cwd: base,
    });
  }

  it('runs a case: a table, JSON and an image with figures of each contender, and nothing left', () => {
    const [json, svg] = [join(base, 'figures.json'), join(base, 'images')];
    const run = bench(
      ...['http-2GiB', '--scale', '0.002', '--rounds', '1', '--place', 'disk'],
      ...['--only', 'waybill', '--only', 'curl', '--json', json, '--svg', svg],
    );
    expect({ status: run.status, stderr: run.stderr }).toMatchObject({ status: 0 });
    expect(run.stdout).toMatch(/^### http-2GiB\n/u);
    for (const name of ['waybill', 'curl', 'curl + openssl']) {
      const cells = String.raw` \| [\d.]+ \| [\d.]+, [\d.]+ \| [\d.]+ \| [\d.]+ \| \d+ \|`;
      expect(run.stdout).toMatch(new RegExp(`^\\| ${name.replace('+', '\\+')}${cells}$`, 'mu'));
    }
    const { cases } = JSON.parse(readFileSync(json, 'utf8')) as {
      cases: { figures: Record<string, unknown>[] }[];
    };
    expect(cases[0]?.figures[0]).toMatchObject({ contender: 'waybill', place: 'disk', ratio: 1 });
    // Service, Temporal and worker are counted with the command.
    expect(cases[0]?.figures[0]?.['peakBytes']).toBeGreaterThan(150 * 1024 * 1024);
    const image = readFileSync(join(svg, 'http-2GiB.svg'), 'utf8');
    expect(image).toMatch(/^<svg .*<\/svg>\n$/su);
    expect(image).toContain('>curl + openssl</text>');
    expect(readdirSync(temp).filter((name) => name.startsWith('waybill-bench-'))).toEqual([]);
  }, 240_000);

  it('says what there is instead of a case that there is not, and what a number has to be', () => {
    const names = CASES.map(({ name }) => name);
    expect(() => parseBenchArguments(['http-3GiB'], names)).toThrow(
      /no case "http-3GiB".*s3-1GiB/u,
    );
    expect(() => parseBenchArguments(['--rounds', '0'], names)).toThrow(/--rounds 0/u);
    expect(() => parseBenchArguments(['--scale', 'fast'], names)).toThrow(/--scale fast/u);
    expect(parseBenchArguments([], names)).toMatchObject({ names, svg: 'docs/bench' });
  });

  it('a peer that cannot be had, one that fails and one that brings less say so, and the rest runs', async () => {
    const said: string[] = [];
    const world = createWorld({
      ...{ scale: 1, against: [], signal: new AbortController().signal },
      say: (line) => said.push(line),
    });
    const shell = (name: string, script: string, more = {}) => ({
      name,
      command: ({ folder }: { folder: string }) => ({
        argv: ['/bin/sh', '-c', script, 'sh', folder],
        env: scrubbedEnv(),
      }),
      brings: { files: 1, bytes: 3 },
      ...more,
    });
    const result = await runCase(
      {
        name: 'told',
        what: 'A case.',
        prepare: () =>
          Promise.resolve({
            contenders: [
              shell(
                'right',
                'printf abc >"$1/f"; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done',
              ),
              shell('missing', '', { missing: 'no such package' }),
              shell('failing', 'echo it broke >&2; exit 3'),
              shell('short', 'printf ab >"$1/f"', { isUnverified: true }),
            ],
          }),
      },
      world,
      { rounds: 2, places: ['disk'] },
    );
    const table = tableOf(result);
    expect(table).toMatch(/^\| right \| [\d.]+ \|.*\| 1\.00 \| 0\.[\d]+ \|/mu);
    expect(table).toContain('| missing | no such package |');
    expect(table).toContain('| failing | exit 3: it broke |');
    expect(table).toContain('| short | it brought 1 files, 2 bytes instead of 1, 3 |');
    expect(result.rows[0]?.runs).toHaveLength(2);
    expect(result.rows[0]?.runs[0]?.cpuSeconds).toBeGreaterThan(0);
  });
});
