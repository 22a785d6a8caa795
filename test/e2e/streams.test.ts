/** What stands on stdout and stderr of a pull, whoever reads them, and what becomes of it when nobody does. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from '../helpers/cache.js';
import { sendAll, serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { scrubbedEnv } from '../helpers/processes.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';
import { startSlowSource, type SlowSource } from './half-way.js';

const LONG_MS = 300_000;
const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const MANY = 5_000;
/** Of no byte. */
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

let bed: WaybillBed;
let server: CutServer;
let slow: SlowSource;

beforeAll(async () => {
  bed = openWaybill();
  [server, slow] = await Promise.all([startCutServer(), startSlowSource()]);
  mkdirSync(join(bed.dir, 'tree/deep'), { recursive: true });
  writeFileSync(join(bed.dir, 'tree/a.bin'), 'hello');
  writeFileSync(join(bed.dir, 'tree/deep/b.bin'), 'x');
  mkdirSync(join(bed.dir, 'many'));
  for (let index = 0; index < MANY; index += 1) {
    writeFileSync(join(bed.dir, `many/a-name-that-makes-the-list-longer-than-a-pipe-${index}`), '');
  }
  await bed.run(['up']);
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  await Promise.all([server.stop(), slow.stop()]);
}, LONG_MS);

/** Runs a line of bash in which `waybill` is the command; stdout and stderr of the line as they came. */
function shell(line: string): Promise<{ exitCode: number | null; stdout: string; stderr: string }> {
  const script = `set -o pipefail; waybill() { "${process.execPath}" "${MAIN}" "$@"; }; ${line}`;
  const child = spawn('bash', ['-c', script], {
    cwd: bed.dir,
    env: scrubbedEnv({
      WAYBILL_SERVICE: 'background',
      WAYBILL_STATE_DIR: bed.stateDir,
      WAYBILL_CACHE_DIR: process.env['WAYBILL_CACHE_DIR'] ?? cacheFolder(),
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 9_000; tries += 1) {
    if (await isSo()) return;
    await sleep(20);
  }
  throw new Error(`${what} was waited for in vain`);
}

const isSealed = (name: string): boolean =>
  existsSync(join(bed.dir, name, '.waybill/receipt.json'));

const noStack: unknown = expect.not.stringMatching(/\n\s+at |EPIPE|node:internal/u);

describe('a pull whose output has no reader', () => {
  it(
    'goes on when the reader leaves in the middle, and ends with the exit code of the pull',
    async () => {
      const left = join(bed.dir, 'head-left');
      const running = shell(
        `waybill pull ${slow.uri('head')} head.bin --json | { head -n 1; exec <&-; touch head-left; }`,
      );
      await until('the end of head', () => existsSync(left));
      slow.hurry();
      const { exitCode, stdout, stderr } = await running;
      slow.slowDown();
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      expect(JSON.parse(stdout)).toMatchObject({ type: expect.any(String) });
      slow.expectWhole(join(bed.dir, 'head.bin'));
    },
    LONG_MS,
  );

  it.each([
    ['closed stdout', '>&-', 0, /check it again/u],
    ['closed stderr', '2>&-', 0, /^$/u],
    ['a full device as stderr', '2>/dev/full', 0, /^$/u],
    ['a full device as stdout', '>/dev/full', 1, /waybill: cannot write to stdout: no space/u],
    ['a full device as stdout, with --json', '--json >/dev/full', 1, /cannot write to stdout/u],
    ['a full device as stdout, with -q', '-q >/dev/full', 1, /cannot write to stdout/u],
  ])(
    'ends with %s, and the tree is in place',
    async (what, redirection, expected, said) => {
      const name = `out-${what.replaceAll(/\W+/gu, '-')}`;
      const { exitCode, stderr } = await shell(`waybill pull tree ${name} ${redirection}`);
      expect({ exitCode, stderr }).toEqual({ exitCode: expected, stderr: noStack });
      expect(stderr).toMatch(said);
      expect(isSealed(name)).toBe(true);
    },
    LONG_MS,
  );

  it(
    'keeps the exit code of a pull that failed when its output could not be written',
    async () => {
      const { exitCode, stderr } = await shell('waybill pull nosuch out-nosuch >/dev/full');
      expect({ exitCode, stderr }).toEqual({ exitCode: 4, stderr: noStack });
    },
    LONG_MS,
  );

  it(
    'ends the pull although the reader stands still, and tells all when it reads again',
    async () => {
      // The pipe is full before the pull begins.
      const pipe = `{ head -c 65536 /dev/zero; waybill pull tree still --json; echo "exit $?" >&2; }`;
      const running = shell(
        `${pipe} | { until [ -e read-now ]; do sleep 0.05; done; tr -d '\\0'; }`,
      );
      await until('the end of the pull', () => isSealed('still'));
      writeFileSync(join(bed.dir, 'read-now'), '');
      const { stdout, stderr } = await running;
      expect(stderr).toBe('exit 0\n');
      expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
        type: 'result',
        ok: true,
        destination: join(bed.dir, 'still'),
      });
    },
    LONG_MS,
  );
});

describe('thousands of lines', () => {
  it.each(['ls -r many', 'ls -r many --json', 'ls -r many -q', 'pull many nowhere -n'])(
    '%s | head -n 1: ends quietly, as any program whose reader left',
    async (command) => {
      const line = `waybill ${command} | { head -n 1; }; echo "\${PIPESTATUS[0]}"`;
      const { stdout, stderr } = await shell(line);
      expect({
        stderr: stderr.replace(/^.* \(dry run\)\n/u, ''),
        lines: stdout.split('\n'),
      }).toEqual({ stderr: '', lines: [expect.stringMatching(/./u), '141', ''] });
    },
    LONG_MS,
  );

  it(
    'all come to a reader that is slow, and a device that is full is told',
    async () => {
      const all = await shell('waybill ls -r many -q | { sleep 1; wc -l; }');
      expect(all).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(`^ *${MANY}\n$`) });
      const full = await shell('waybill ls -r many --json >/dev/full');
      expect(full).toEqual({ exitCode: 1, stdout: '', stderr: noStack });
      expect(full.stderr).toContain('cannot write to stdout');
    },
    LONG_MS,
  );
});

describe('--quiet', () => {
  const place = (name: string): string => join(bed.dir, name);

  it.each(['done', 'kept'])(
    'says the absolute destination and nothing else of a pull that is %s',
    async () => {
      const run = await bed.run(['pull', 'tree', 'quiet', '-q']);
      expect(run).toMatchObject({ exitCode: 0, stdout: `${place('quiet')}\n`, stderr: '' });
    },
    LONG_MS,
  );

  it(
    'says nothing on stdout of a pull that failed or was partial, and what failed on stderr',
    async () => {
      const failed = await bed.run(['pull', 'nosuch', 'quiet-failed', '-q']);
      expect(failed).toMatchObject({ exitCode: 4, stdout: '' });
      expect(failed.stderr).toMatch(/^waybill: .*nosuch.* does not exist\n {2}Check .*\n$/u);
      const zeros = '0'.repeat(64);
      server.serve('/partial/SHA256SUMS', sendAll(`${zeros}  wrong.bin\n${EMPTY}  good.bin\n`));
      server.serve('/partial/good.bin', sendAll(''));
      server.serve('/partial/wrong.bin', sendAll('not what was promised'));
      const source = `${server.url}/partial/SHA256SUMS`;
      const partial = await bed.run(['pull', source, 'quiet-partial/', '-q']);
      expect(partial).toMatchObject({ exitCode: 3, stdout: '' });
      expect(partial.stderr).toMatch(
        /^waybill: 1 file failed:\n(.*\n)*.*Run the same command again/u,
      );
      expect(readFileSync(join(bed.dir, 'quiet-partial/good.bin'), 'utf8')).toBe('');
    },
    LONG_MS,
  );

  it(
    'says the destination of a pull that was blocked and went on, and nothing of the blocking',
    async () => {
      const bytes = Buffer.from('now');
      const answer = serveFile(bytes, { etag: '"v1"' });
      // What is asked of it is answered; its bytes are not given yet.
      server.serve('/blocked.bin', (request) =>
        request.method === 'HEAD' ? answer(request) : { status: 401, body: 'who are you?' },
      );
      const running = bed.start(['pull', `${server.url}/blocked.bin`, 'blocked.bin', '-q']);
      await until('the blocked pull', async () => {
        const { result } = await bed.run(['status', './blocked.bin', '--json']);
        return (result['progress'] as { phase?: string } | undefined)?.phase === 'blocked';
      });
      server.serve('/blocked.bin', answer);
      await bed.run(['retry', './blocked.bin']);
      const run = await running.done;
      expect(run).toMatchObject({ exitCode: 0, stdout: `${place('blocked.bin')}\n`, stderr: '' });
      expect(readFileSync(place('blocked.bin'), 'utf8')).toBe('now');
    },
    LONG_MS,
  );

  it(
    'says nothing of a pull that is stopped',
    async () => {
      const running = bed.start(['pull', slow.uri('stop'), 'stop.bin', '-q']);
      await slow.untilHalfWay(place('stop.bin'));
      running.signal('SIGINT');
      expect(await running.done).toMatchObject({ exitCode: 130, stdout: '', stderr: '' });
    },
    LONG_MS,
  );
});
