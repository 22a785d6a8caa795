/** What `npm run trials` does with the stores that are no web servers: here it is a test of whole pulls. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createWorld, type World } from '../../bench/lib/world.js';
import { ROWS } from '../../bench/stores/rows.js';
import type { Served } from '../../bench/stores/served.js';
import { awkwardTree, killedHalfWay, replacedHalfWay } from '../../bench/stores/trials.js';
import { cacheFolder } from '../helpers/cache.js';
import { scratchFolder, scrubbedEnv } from '../helpers/processes.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

const LONG_MS = 240_000;

describe.each(ROWS.filter(({ server }) => ['OpenSSH', 'vsftpd'].includes(server)))(
  'a pull from $store ($server)',
  (row) => {
    let world: World;
    let bed: WaybillBed;
    let served: Served;

    beforeAll(async () => {
      const { signal } = new AbortController();
      world = createWorld({ scale: 1, against: [], signal, say: () => undefined });
      bed = openWaybill();
      served = await row.serve(world);
    }, LONG_MS);

    afterAll(async () => {
      await bed.close();
      await world.close();
    }, LONG_MS);

    it(
      'brings every name that the server holds and the guard lets through, byte for byte',
      async () => expect(await awkwardTree(served, bed)).toMatch(/^\d+, 3 refused$/u),
      LONG_MS,
    );

    it(
      'goes on with what was there when everything was killed half-way',
      async () => expect(await killedHalfWay(served, bed)).toMatch(/^yes, [1-9]\d* MiB kept$/u),
      LONG_MS,
    );

    it(
      'never is a mixture of two versions',
      async () =>
        expect(await replacedHalfWay(served, bed)).toMatch(
          /^(exit 8|the (old|new) one, exit [08])$/u,
        ),
      LONG_MS,
    );
  },
);

const MAIN = fileURLToPath(new URL('../../bench/stores/main.js', import.meta.url));

describe('npm run trials', () => {
  it(
    'ends at SIGTERM by saying so, and leaves nothing',
    async () => {
      const base = scratchFolder('trials');
      const temp = join(base, 'tmp');
      mkdirSync(temp);
      const env = { ...scrubbedEnv(), TMPDIR: temp, HOME: base, WAYBILL_CACHE_DIR: cacheFolder() };
      const child = spawn(process.execPath, [MAIN, 'local'], {
        env,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        if (said === '') child.kill('SIGTERM');
        said += text;
      });
      const status = await new Promise((resolve) => child.once('close', resolve));
      expect({ status, said }).toEqual({
        status: 143,
        said: 'local: names, kill, replacement\nstopped by SIGTERM\n',
      });
      expect(readdirSync(temp)).toEqual([]);
      rmSync(base, { recursive: true, force: true });
    },
    LONG_MS,
  );

  it.each([
    [['nfs'], /^there is no row for nfs\n/u],
    [['--rounds', 'many', 'local'], /^--rounds takes a whole number\n/u],
    [['--fast'], /^Unknown option '--fast'/u],
  ])('says what is wrong with %j, and how it is called', (args, why) => {
    const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([2, expect.stringMatching(why)]);
    expect(stderr).toMatch(/^npm run trials -- \[STORE\.\.\.\].*\nstores: mlflow, mlrun, s3/mu);
  });
});
