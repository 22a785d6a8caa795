/** The code in few files (src/config/bundle.ts): what is loaded from where, in a copy of what is tested. */
import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { scratchFolder, scrubbedEnv } from '../helpers/processes.js';
import { openWaybill } from '../helpers/waybill.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

let folder: string;

/** Puts the copy's code together; answers what was said. */
function bundle(): string {
  const args = ['-c', 'exec "$0" scripts/bundle-code.mjs 2>&1', process.execPath];
  return execFileSync('sh', args, { cwd: folder, encoding: 'utf8' });
}

beforeAll(() => {
  folder = scratchFolder('bundle');
  for (const path of ['dist/src', 'dist/workflow-bundle.js', 'scripts', 'package.json']) {
    cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'dist/src.tsbuildinfo'), 'as it was compiled');
  expect(bundle()).toBe('');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Which of the copy's files a run of Node loads, whatever comes of it. */
async function loadedBy(...args: readonly string[]): Promise<string[]> {
  const NODE_V8_COVERAGE = join(folder, 'coverage');
  rmSync(NODE_V8_COVERAGE, { recursive: true, force: true });
  mkdirSync(NODE_V8_COVERAGE);
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: scrubbedEnv({ NODE_V8_COVERAGE }),
    stdio: 'ignore',
  });
  await new Promise((resolve) => child.once('close', resolve));
  const own = pathToFileURL(join(folder, 'dist/')).href;
  const urls = readdirSync(NODE_V8_COVERAGE).flatMap((name) => {
    const text = readFileSync(join(NODE_V8_COVERAGE, name), 'utf8');
    return (JSON.parse(text) as { result: { url: string }[] }).result.map(({ url }) => url);
  });
  return urls.filter((url) => url.startsWith(own)).map((url) => url.slice(own.length));
}

const MAIN = 'dist/src/cli/main.js';
const THREAD = "await import('./dist/src/thread.js')";

it.each([
  ['command', 'src/cli/main.js', [MAIN, '--version']],
  ['service', 'src/service/service-main.js', ['dist/src/service/service-main.js']],
  ['worker', 'src/worker.js', ['dist/src/worker.js', '--local']],
  ['thread', 'src/thread.js', ['--input-type=module', '-e', THREAD]],
])('a %s loads few files', async (name, entry, args) => {
  const loaded = await loadedBy(...args);
  expect(loaded).toContain(`bundle/${name}.js`);
  const single = loaded.filter((path) => !path.startsWith('bundle/'));
  expect(single.sort()).toEqual(['src/config/bundle.js', entry].sort());
});

it('what most commands load lies together, and costs nobody anything who needs none of it', async () => {
  const bytesOf = (loaded: readonly string[]): number =>
    loaded.reduce((sum, path) => sum + statSync(join(folder, 'dist', path)).size, 0);
  // The list, the store, and what other stores have in common with it.
  const loaded = await loadedBy(MAIN, 'ls', join(folder, 'scripts'));
  expect(loaded.length).toBeLessThan(25);
  expect(bytesOf(await loadedBy(MAIN, '--version'))).toBeLessThan(bytesOf(loaded) / 3);
});

it('a short command loads no more of the libraries than it uses', async () => {
  const loaded = await loadedBy(MAIN, 'ls', join(folder, 'scripts'));
  const text = loaded.map((path) => readFileSync(join(folder, 'dist', path), 'utf8')).join('\n');
  // It says what is wrong with a file in one language.
  const languages = text.matchAll(/node_modules\/zod\/v4\/locales\/([\w-]+)\.js/gu);
  expect(new Set([...languages].map(([, name]) => name))).toEqual(new Set(['en']));
  // Nothing is drawn where there is no terminal.
  expect(text.includes('node_modules/string-width/')).toBe(false);
});

it('no stack is noted for each promise of a workflow', () => {
  const holding = (text: string): string[] =>
    readdirSync(join(folder, 'dist/bundle')).filter((name) =>
      readFileSync(join(folder, 'dist/bundle', name), 'utf8').includes(text),
    );
  expect(holding('this.overridePrepareStackTrace();')).not.toEqual([]);
  expect(holding('this.setPromiseHook();')).toEqual([]);
});

it('a command that is a worker itself has all of the SDK, once', async () => {
  const loaded = await loadedBy(MAIN, 'worker', '--help');
  expect(loaded).toContain('src/cli/run.js');
  expect(loaded.filter((path) => path.startsWith('bundle/'))).toEqual([]);
});

it('an installed package has no notes of a compiler', async () => {
  const notes = join(folder, 'dist/src.tsbuildinfo');
  const moved = join(folder, 'moved');
  cpSync(notes, moved, { preserveTimestamps: true });
  rmSync(notes);
  expect(await loadedBy(MAIN, '--version')).toContain('bundle/command.js');
  cpSync(moved, notes, { preserveTimestamps: true });
});

it('what was compiled since is what runs, until it is put together again', async () => {
  const notes = join(folder, 'dist/src.tsbuildinfo');
  utimesSync(notes, new Date(), new Date(Date.now() + 1_000));
  const loaded = await loadedBy(MAIN, '--version');
  expect(loaded).toContain('src/cli/run.js');
  expect(loaded.filter((path) => path.startsWith('bundle/'))).toEqual([]);
  expect(bundle()).toBe('');
  expect(await loadedBy(MAIN, '--version')).toContain('bundle/command.js');
});

it('pulls, tells and stops from there as one build', async () => {
  const bed = openWaybill();
  try {
    const main = join(folder, MAIN);
    const source = join(bed.dir, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'w.bin'), 'weights');
    const run = async (...args: string[]): Promise<unknown> => {
      const { exitCode, stdout, stderr } = await bed.run(args, { main });
      return exitCode === 0 ? 0 : [args, exitCode, stdout, stderr];
    };
    expect(await run('pull', source, 'to')).toBe(0);
    expect(await run('pull', source, 'to')).toBe(0);
    expect(await run('verify', 'to')).toBe(0);
    const told = await bed.run(['status', 'to', '--json'], { main });
    expect(told.result).toMatchObject({ state: 'done' });
    expect(readFileSync(join(bed.dir, 'to/w.bin'), 'utf8')).toBe('weights');
    // One service served all of it: nobody took it for one of another build.
    const log = readFileSync(join(bed.stateDir, 'service.log'), 'utf8');
    expect(log).not.toContain('stopping');
    expect(await run('down')).toBe(0);
  } finally {
    await bed.close();
  }
});

it('without the tool that puts it together everything runs file by file', async () => {
  rmSync(join(folder, 'dist/bundle'), { recursive: true });
  rmSync(join(folder, 'node_modules'));
  mkdirSync(join(folder, 'node_modules'));
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name.includes('esbuild')) continue;
    symlinkSync(join(ROOT, 'node_modules', name), join(folder, 'node_modules', name));
  }
  expect(bundle()).toContain('loaded file by file');
  expect(await loadedBy(MAIN, '--version')).toContain('src/cli/run.js');
});
