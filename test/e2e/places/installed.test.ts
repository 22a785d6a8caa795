/** The package as npm installs it, in every kind of place that it is promised to work in. */
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startLonelyNetwork } from '../../helpers/lonely-network.js';
import { startNginx, type Nginx } from '../../helpers/nginx.js';
import { freePort } from '../../helpers/ports.js';
import { scratchFolder } from '../../helpers/processes.js';
import { installWaybill, mustRun, ownGo, type Ended, type Installation } from './installation.js';

const LONG_MS = 400_000;
/** An id that no system has a name for. */
const USER = 12_345;
const AS_USER = ['setpriv', `--reuid=${USER}`, `--regid=${USER}`, '--clear-groups'];

let installation: Installation;
let source: string;
let nginx: Nginx;

beforeAll(async () => {
  source = scratchFolder('places-source');
  writeFileSync(join(source, 'w.bin'), Buffer.alloc(300_000, 'weights'));
  mkdirSync(join(source, 'deep'));
  writeFileSync(join(source, 'deep', 'config.json'), '{}');
  nginx = await startNginx({
    root: source,
    server: `location /slow/ { alias "${source}/"; autoindex on; limit_rate 30k; }`,
  });
  installation = await installWaybill();
}, LONG_MS);

afterAll(async () => {
  await nginx.stop();
  installation.remove();
}, LONG_MS);

/** A new folder of the user without a name. */
function placeOf(name: string): string {
  const folder = join(installation.dir, name);
  mkdirSync(folder);
  chownSync(folder, USER, USER);
  return folder;
}

function expectDone({ exitCode, stdout, stderr }: Ended): void {
  expect([exitCode, exitCode === 0 ? '' : stdout + stderr]).toEqual([0, '']);
}

function expectWhole(folder: string): void {
  const sums = ['--strict', '--quiet', '-c', '.waybill/SHA256SUMS'];
  execFileSync('sha256sum', sums, { cwd: folder, stdio: 'pipe' });
  expect(readFileSync(join(folder, 'w.bin')).equals(readFileSync(join(source, 'w.bin')))).toBe(
    true,
  );
  expect(existsSync(join(folder, '.waybill', 'receipt.json'))).toBe(true);
}

/** The parsed last line of a command's output. */
const resultOf = ({ stdout }: Ended): Record<string, unknown> =>
  JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '{}') as Record<string, unknown>;

describe('the package', () => {
  it('holds what runs, its schemas, its pages and its licence, and nothing else', () => {
    const listing = execFileSync('tar', ['-tzf', installation.tarball], { encoding: 'utf8' });
    const names = listing
      .trimEnd()
      .split('\n')
      .map((name) => name.replace(/^package\//, ''));
    const expected = [
      'dist/src/cli/main.js',
      'dist/src/worker.js',
      'dist/bundle/bundle.json',
      'dist/bundle/command.js',
      'dist/workflow-bundle.js',
      'src/cli/schema/events.json',
      'docs/network.md',
      'docs/errors.md',
      'ops/alerts.yml',
      'README.md',
      'CHANGELOG.md',
      'LICENSE',
      'package.json',
    ];
    expect(names).toEqual(expect.arrayContaining(expected));
    const allowed =
      /^(dist\/src\/|dist\/bundle\/[\w-]+\.js(?:on)?$|dist\/workflow-bundle\.js$|src\/cli\/schema\/[\w-]+\.json$|docs\/|ops\/[\w-]+\.(?:json|yml)$|README\.md$|CHANGELOG\.md$|LICENSE$|package\.json$)/;
    expect(names.filter((name) => !allowed.test(name))).toEqual([]);
    expect(statSync(installation.tarball).size).toBeLessThan(5_000_000);
  });

  it('runs nothing when it is installed', () => {
    const text = readFileSync(join(installation.packageDir, 'package.json'), 'utf8');
    const { scripts } = JSON.parse(text) as { scripts: Record<string, string> };
    expect(Object.keys(scripts).filter((name) => /install|prepare|prepack/.test(name))).toEqual([]);
  });

  it('is a library too, with its types and schemas', async () => {
    const code =
      "import {WaybillClient} from 'waybill'; import schema from 'waybill/schema/events.json' with {type: 'json'};" +
      'console.log(typeof WaybillClient.connect, typeof schema);';
    const args = ['--input-type=module', '--no-warnings', '-e', code];
    const env = { PATH: '/usr/bin:/bin' };
    const cwd = join(installation.packageDir, '..', '..');
    expect(await mustRun(process.execPath, args, env, cwd)).toBe('function object\n');
    expect(existsSync(join(installation.packageDir, 'dist/src/client.d.ts'))).toBe(true);
  });
});

describe('with an empty home', () => {
  it(
    '--version, setup, doctor, a pull, verify and down do what they say',
    async () => {
      const HOME = placeOf('home');
      const env = { HOME, WAYBILL_SERVICE: 'background' };
      const run = (...args: string[]): Promise<Ended> =>
        installation.run(args, { env, cwd: HOME, runner: AS_USER });
      expect((await run('--version')).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
      const setup = await run('setup');
      expectDone(setup);
      expect(setup.stdout + setup.stderr).toContain(installation.temporal);
      const doctor = await run('doctor', '--json');
      expectDone(doctor);
      const pulled = await run('pull', `${nginx.url}/`, 'model');
      expectDone(pulled);
      expect(pulled.stdout).toMatch(/^2 files, \d+ kB: 2 size\n$/);
      expectWhole(join(HOME, 'model'));
      expectDone(await run('verify', 'model'));
      expectDone(await run('down'));
      expect(readdirSync(HOME).sort()).toEqual(['.cache', '.local', 'model']);
    },
    LONG_MS,
  );
});

describe('with an empty cache and no Temporal CLI anywhere', () => {
  it(
    'setup gets one, the second setup finds it, and a pull runs with it',
    async () => {
      const HOME = placeOf('bare');
      // Go's own caches are the machine's, so that what was built once is not fetched and built again.
      const env = { HOME, WAYBILL_TEMPORAL_CLI: '', WAYBILL_SERVICE: 'inline', ...(await ownGo()) };
      const run = (...args: string[]): Promise<Ended> => installation.run(args, { env, cwd: HOME });
      const before = await run('doctor', '--json');
      expect(resultOf(before)).toMatchObject({ ok: true, processes: {} });
      expect(existsSync(join(HOME, '.cache'))).toBe(false);
      const path = join(HOME, '.cache/waybill/bin/temporal-v1.5.1');
      const setup = await run('setup', '--json');
      expectDone(setup);
      expect(setup.stderr).toContain('Temporal CLI 1.5.1: not on this machine');
      expect(resultOf(setup)['temporalCli']).toMatchObject({
        path,
        origin: expect.stringMatching(/^(download|go)$/),
      });
      const said = await mustRun(path, ['--version'], {}, HOME);
      expect(said).toMatch(/^temporal version 1\.5\.1 \(Server 1\.29\.1/u);
      const again = await run('setup', '--json');
      expectDone(again);
      expect(resultOf(again)['temporalCli']).toMatchObject({ path, origin: 'cache' });
      expectDone(await run('pull', `${nginx.url}/`, 'model'));
      expectWhole(join(HOME, 'model'));
      expect(readdirSync(join(HOME, '.cache/waybill/bin'))).toEqual(['temporal-v1.5.1']);
    },
    LONG_MS,
  );
});

describe('with no home, no name, no rights but a folder', () => {
  it(
    'a random user pulls into names with blanks and letters of any script, in the C locale, for nobody else to read',
    async () => {
      const TMPDIR = placeOf('a place of one’s own');
      const env = { TMPDIR, LC_ALL: 'C', WAYBILL_SERVICE: 'background' };
      const runner = ['sh', '-c', 'umask 077; exec "$@"', 'sh', ...AS_USER];
      const run = (...args: string[]): Promise<Ended> =>
        installation.run(args, { env, cwd: TMPDIR, runner });
      const to = join(TMPDIR, 'modèle – 模型');
      expectDone(await run('pull', `${nginx.url}/`, to));
      expectWhole(to);
      expect(statSync(join(to, 'w.bin')).mode & 0o777).toBe(0o600);
      expect(statSync(to).mode & 0o777).toBe(0o700);
      expect(resultOf(await run('status', to, '--json'))).toMatchObject({ state: 'done' });
      expectDone(await run('down'));
      expect(readdirSync(TMPDIR).sort()).toEqual([`modèle – 模型`, `waybill-${USER}`]);
    },
    LONG_MS,
  );
});

/** A mount namespace in which everything is read-only but what `prepare` mounts; the command runs at its end. */
function readOnlyBut(prepare: string, writable: string): readonly string[] {
  const script = `
mount --make-rprivate /
${prepare}
for point in $(cut -d' ' -f5 /proc/self/mountinfo | sort -u); do
  case $point in /proc|/proc/*|/sys|/sys/*|${writable}|${writable}/*) continue;; esac
  mount -o remount,bind,ro "$point"
done
if touch /tmp/waybill-probe 2>/dev/null; then exit 99; fi
exec "$@"`;
  return ['unshare', '--mount', 'sh', '-euc', script, 'sh'];
}

describe('on a read-only root with one writable mount', () => {
  const W = (): string => join(installation.dir, 'writable');
  const check = 'cd "$D" && sha256sum --strict --quiet -c .waybill/SHA256SUMS';
  beforeAll(() => mkdirSync(W()));

  it.each([
    [
      'both folders',
      () => ({ WAYBILL_STATE_DIR: join(W(), 's'), WAYBILL_CACHE_DIR: join(W(), 'c') }),
    ],
    ['TMPDIR', () => ({ TMPDIR: W() })],
  ])(
    'it works where %s lie there, and the destination on an overlay',
    async (_, env) => {
      const prepare = `mount -t tmpfs -o mode=1777,size=200m tmpfs ${W()}
mkdir ${W()}/u ${W()}/w ${W()}/low ${W()}/d; mount -t overlay overlay -o lowerdir=${W()}/low,upperdir=${W()}/u,workdir=${W()}/w ${W()}/d
chown ${USER}:${USER} ${W()}/d`;
      // The mounts go with the command: what is there is checked before it ends.
      const runner = [
        ...readOnlyBut(prepare, W()),
        ...AS_USER,
        'sh',
        '-euc',
        `"$@"; ${check}`,
        'sh',
      ];
      const D = join(W(), 'd', 'model');
      expectDone(
        await installation.run(['pull', `${nginx.url}/`, D], {
          env: { ...env(), CI: 'true', D },
          runner,
        }),
      );
    },
    LONG_MS,
  );

  it(
    'it says which folder cannot be written, and what to set, where there is none',
    async () => {
      const runner = readOnlyBut(`mount -t tmpfs tmpfs ${W()}`, W());
      const { exitCode, stderr } = await installation.run(
        ['pull', `${nginx.url}/`, join(W(), 'd')],
        { runner, env: { CI: 'true' } },
      );
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(
        /The state folder \S+ cannot be used \(\S+ is on a read-only file system\).*WAYBILL_STATE_DIR/,
      );
    },
    LONG_MS,
  );
});

describe('as process 1', () => {
  const runner = ['unshare', '--pid', '--fork', '--mount-proc'];
  const stateDir = (): string => join(installation.dir, 'one');

  /** The processes of the namespace that a command is the first of, as `pid state name`. */
  function processesOf(first: string): string[] {
    const namespace = (pid: string): number | undefined => {
      try {
        return statSync(`/proc/${pid}/ns/pid`).ino;
      } catch {
        return undefined;
      }
    };
    const own = namespace(first);
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && own !== undefined && namespace(name) === own)
      .flatMap((pid) => {
        try {
          return [readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ', 3).join(' ')];
        } catch {
          return [];
        }
      });
  }

  function sendTerm(pid: number): void {
    try {
      process.kill(pid, 'SIGTERM');
    } catch {
      // It has ended, which is what was wanted.
    }
  }

  async function childOf(pid: number): Promise<string> {
    for (;;) {
      const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
      if (child !== undefined && child !== '') return child;
      await sleep(5);
    }
  }

  it(
    'the service lives inside the command, SIGTERM pauses, and the same command goes on',
    async () => {
      const D = join(installation.dir, 'pid-1');
      const env = { WAYBILL_STATE_DIR: stateDir() };
      const args = ['pull', `${nginx.url}/slow/`, D];
      let pid = 0;
      const stopped = installation.run(args, {
        env,
        runner,
        onStart: (started) => (pid = started),
      });
      const first = await childOf(pid);
      while (!existsSync(join(D, 'deep', 'config.json'))) await sleep(50);
      const running = processesOf(first);
      expect(running.length).toBeGreaterThanOrEqual(4);
      expect(running.filter((line) => / Z /.test(`${line} `))).toEqual([]);
      process.kill(Number(first), 'SIGTERM');
      const { exitCode, stderr } = await stopped;
      expect([exitCode, stderr]).toEqual([143, expect.stringMatching(/Kept: .*\nGo on with: /)]);
      expect(existsSync(join(D, '.waybill', 'receipt.json'))).toBe(false);
      expectDone(await installation.run(args, { env, runner }));
      expectWhole(D);
    },
    LONG_MS,
  );

  it(
    'a signal that comes before anything is begun ends it',
    async () => {
      let pid = 0;
      const env = { WAYBILL_STATE_DIR: stateDir() };
      const doctor = installation.run(['doctor'], {
        env,
        runner,
        onStart: (started) => (pid = started),
      });
      const first = Number(await childOf(pid));
      let isOver = false;
      void doctor.then(() => (isOver = true));
      // Before the program itself runs, nobody can listen: so again and again.
      while (!isOver) {
        sendTerm(first);
        await sleep(5);
      }
      expect((await doctor).exitCode).toBe(143);
    },
    LONG_MS,
  );
});

describe('with no network but the source', () => {
  it(
    'a pull speaks to the source and to nobody else',
    async () => {
      const network = await startLonelyNetwork();
      const port = await freePort();
      const lonely = await startNginx({
        root: source,
        server: `listen ${network.hostAddress}:${port};`,
      });
      const HOME = placeOf('lonely');
      const env = { HOME, CI: 'true' };
      const runner = [...network.runner, ...AS_USER];
      const from = `http://${network.hostAddress}:${port}/`;
      expectDone(await installation.run(['setup'], { env, runner }));
      expectDone(await installation.run(['doctor'], { env, runner }));
      expectDone(await installation.run(['pull', from, join(HOME, 'model')], { env, runner }));
      expectWhole(join(HOME, 'model'));
      expect(network.destinations()).toEqual([`${network.hostAddress}:${port}/tcp`]);
      await lonely.stop();
      await network.stop();
    },
    LONG_MS,
  );
});
