/** The image: its build steps carried out into empty folders, then run as Docker would run it. There is no Docker here. */
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { ensureTemporalCli } from '../../src/service/temporal-cli.js';
import type { Ended } from '../e2e/places/installation.js';
import { cacheFolder } from '../helpers/cache.js';
import { startLonelyNetwork, type LonelyNetwork } from '../helpers/lonely-network.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { freePort } from '../helpers/ports.js';
import { scratchFolder } from '../helpers/processes.js';
import { startTemporal, type Temporal } from '../helpers/temporal.js';
import { ensureImagePackages } from './base-image.js';
import { carryOut, inside, type Image, type InsideOptions } from './carry-out.js';
import { keepContext, parseDockerfile } from './dockerfile.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const LONG_MS = 900_000;

let dir: string;
const options = { dir: '', context: '', packages: '', temporal: '' };
let image: Image;
let network: LonelyNetwork | undefined;
let source: string;
let nginx: Nginx | undefined;

beforeAll(async () => {
  dir = scratchFolder('image');
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const explicitPath = process.env['WAYBILL_TEMPORAL_CLI'];
  const [packages, temporal] = await Promise.all([
    ensureImagePackages(say),
    ensureTemporalCli({ cacheDir: cacheFolder(), explicitPath, onProgress: say }),
  ]);
  const stages = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
  Object.assign(options, { dir, context: makeContext(), packages, temporal: temporal.path });
  image = await carryOut(stages, options);
  network = await startLonelyNetwork();
  source = join(dir, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'w.bin'), Buffer.alloc(300_000, 'weights'));
  const port = await freePort();
  nginx = await startNginx({ root: source, server: `listen ${network.hostAddress}:${port};` });
  url = `http://${network.hostAddress}:${port}/`;
}, LONG_MS);

let url: string;

afterAll(async () => {
  await nginx?.stop();
  await network?.stop();
  rmSync(dir, { recursive: true, force: true });
}, LONG_MS);

/** What is in the repository, but for what .dockerignore leaves out. */
function makeContext(): string {
  const context = join(dir, 'context');
  const git = ['ls-files', '--cached', '--others', '--exclude-standard'];
  const paths = execFileSync('git', git, { cwd: ROOT, encoding: 'utf8' }).trimEnd().split('\n');
  const rules = readFileSync(join(ROOT, '.dockerignore'), 'utf8');
  for (const path of keepContext(paths, rules).filter((one) => existsSync(join(ROOT, one)))) {
    mkdirSync(join(context, dirname(path)), { recursive: true });
    cpSync(join(ROOT, path), join(context, path));
  }
  return context;
}

/** `docker run IMAGE words...`, in a network with nothing but the source. */
function docker(words: readonly string[], options: Partial<InsideOptions> = {}): Promise<Ended> {
  const args = words.length === 0 ? image.command : words;
  const settings = { layer: 'thrown', runner: network?.runner ?? [], ...options } as const;
  return inside(image, [...image.entrypoint, ...args], settings);
}

function expectDone({ exitCode, stdout, stderr }: Ended): void {
  expect([exitCode, exitCode === 0 ? '' : stdout + stderr]).toEqual([0, '']);
}

/** An empty folder of a user's. */
function folderOf(name: string, user: number): string {
  const folder = join(dir, name);
  mkdirSync(folder);
  chownSync(folder, user, user);
  return folder;
}

function expectWhole(folder: string): void {
  const sums = ['--strict', '--quiet', '-c', '.waybill/SHA256SUMS'];
  execFileSync('sha256sum', sums, { cwd: folder, stdio: 'pipe' });
  expect(readFileSync(join(folder, 'w.bin')).equals(readFileSync(join(source, 'w.bin')))).toBe(
    true,
  );
}

describe('the image that the steps of the Dockerfile make', () => {
  const at = (path: string): string => join(image.root, path);

  it('holds the command with what it needs, and neither sources, nor tools to build, nor other platforms', () => {
    expect(readdirSync(at('opt/waybill')).sort()).toEqual([
      'LICENSE',
      'README.md',
      'dist',
      'node_modules',
      'package.json',
    ]);
    expect(readdirSync(at('opt/waybill/dist')).sort()).toEqual([
      'bundle',
      'src',
      'workflow-bundle.js',
    ]);
    expect(existsSync(at('opt/waybill/node_modules/typescript'))).toBe(false);
    expect(existsSync(at('opt/waybill/node_modules/.bin/jest'))).toBe(false);
    const releases = readdirSync(at('opt/waybill/node_modules/@temporalio/core-bridge/releases'));
    expect(releases).toEqual([expect.stringMatching(/^(x86_64|aarch64)-unknown-linux-gnu$/)]);
    const kilobytes = execFileSync('du', ['-sk', at('opt/waybill')], { encoding: 'utf8' });
    expect(Number.parseInt(kilobytes)).toBeLessThan(220_000);
    expect(existsSync(at('etc/ssl/certs/ca-certificates.crt'))).toBe(true);
    expect(readdirSync(at('var/lib/apt/lists'))).toEqual([]);
    expect(statSync(at('var/lib/waybill')).mode & 0o7777).toBe(0o1777);
    expect(statSync(at('data')).uid).toBe(1000);
  });

  it('says what it can where nothing is asked', async () => {
    expect(image.user).toBe('node');
    const { exitCode, stdout } = await docker([]);
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('waybill pull')]);
  });

  it(
    'pulls as the user of the image, as process 1, and speaks to nobody but the source',
    async () => {
      const data = folderOf('data', 1000);
      const mounts = [[data, '/data']] as const;
      expectDone(await docker(['pull', url, '/data/model'], { mounts }));
      expectWhole(join(data, 'model'));
      expect(statSync(join(data, 'model', 'w.bin')).uid).toBe(1000);
      expect(network?.destinations()).toEqual([expect.stringMatching(/\d+\/tcp$/)]);
    },
    LONG_MS,
  );

  it(
    'pulls as a user without a name on a read-only root, with one folder in memory and no /dev/shm',
    async () => {
      const data = folderOf('nameless', 12_345);
      const ended = await docker(['pull', '--quiet', url, '/data/model'], {
        user: '12345:12345',
        mounts: [[data, '/data']],
        layer: 'none',
        tmpfs: ['/var/lib/waybill'],
        hasNoShm: true,
      });
      expectDone(ended);
      expect(ended.stdout).toBe('/data/model\n');
      expectWhole(join(data, 'model'));
    },
    LONG_MS,
  );
});

describe('a step that is wrong is an error with its line', () => {
  it.each([
    ['COPY', 'COPY test ./', /^Dockerfile:2: COPY test \.\/: \S+\/test is not there/],
    ['RUN', 'RUN echo so && false', /^Dockerfile:2: RUN echo so && false\nended with 1:\nso/],
  ])(
    '%s',
    async (name, step, said) => {
      const stages = parseDockerfile(`FROM golang:1\n${step}\n`);
      const wrong = { ...options, dir: join(dir, `wrong-${name}`) };
      await expect(carryOut(stages, wrong)).rejects.toThrow(said);
    },
    LONG_MS,
  );
});

describe('as the worker of the compose file', () => {
  interface Worker {
    readonly command: string[];
    readonly environment: Record<string, string>;
    readonly healthcheck: { readonly test: string[] };
  }
  let temporal: Temporal;
  let worker: Worker;

  beforeAll(async () => {
    temporal = await startTemporal();
    const compose = parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8')) as {
      services: { worker: Worker };
    };
    worker = compose.services.worker;
  }, LONG_MS);

  afterAll(() => temporal.stop());

  const insideIt = (words: readonly string[], onStart?: (pid: number) => void): Promise<Ended> => {
    const env = { ...worker.environment, TEMPORAL_ADDRESS: temporal.address };
    return inside(image, words, { layer: 'thrown', env, ...(onStart ? { onStart } : {}) });
  };

  async function untilHealthIs(exitCode: number): Promise<void> {
    const [kind, ...words] = worker.healthcheck.test;
    expect(kind).toBe('CMD');
    for (;;) {
      const ended = await insideIt(words);
      if (ended.exitCode === exitCode) return;
    }
  }

  it(
    'it is healthy where Temporal answers, and only there',
    async () => {
      await untilHealthIs(1);
      let pid = 0;
      const running = insideIt([...image.entrypoint, ...worker.command], (started) => {
        pid = started;
      });
      await untilHealthIs(0);
      await temporal.stop();
      await untilHealthIs(1);
      // The first process of the container takes all others with it.
      const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
      process.kill(Number(first), 'SIGKILL');
      await running;
    },
    LONG_MS,
  );
});
