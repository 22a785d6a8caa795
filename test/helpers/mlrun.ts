/**
 * A real MLRun API server, version 1.5.2: the last that PyPI has with its server. In a test:
 *
 *     const mlrun = await startMlrun();                        // files on the server's own disk, which it passes on
 *     await mlrun.python(`mlrun.get_or_create_project('p').log_model(...)`);   // its own client, with `root` and `os`
 *     await mlrun.putArtifact('p', 'key', { metadata, spec }, { tag: 'v1' });  // a record, past the client
 *     ... store://p/key with mlrun.env as the environment ...
 *     await mlrun.stop();
 */
import { mkdir, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ensureVenv } from '../../src/demo/python-venv.js';
import type { Venv } from '../../src/demo/python-venv.js';
import { runTool } from '../../src/service/run-tool.js';
import { cacheFolder } from './cache.js';
import { MLRUN_REQUIREMENTS } from './mlrun-requirements.js';
import { freePort } from './ports.js';
import { scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

export const MLRUN_VERSION = '1.5.2';

/** In the cache. */
export const MLRUN_FOLDER = `venv-mlrun-${MLRUN_VERSION}`;

/** Its server and its client in a Python environment in the cache. */
export async function ensureMlrun(onProgress: (line: string) => void): Promise<Venv> {
  return ensureVenv({
    cacheDir: cacheFolder(),
    folder: MLRUN_FOLDER,
    name: `MLRun ${MLRUN_VERSION}`,
    requirements: MLRUN_REQUIREMENTS,
    cost: 'about 130 MB to fetch, 1 minute',
    onProgress,
    findPython: findPython39,
    finish: async ({ python, dir }) => {
      // Byte code is written once: a start then takes 4 s in the place of 10.
      const args = ['-u', 'PYTHONDONTWRITEBYTECODE', 'MLRUN_IGNORE_ENV_FILE=true', python];
      const imports = 'import mlrun.api.main, mlrun.feature_store';
      const { exitCode, output } = await runTool({
        command: 'env',
        args: [...args, '-c', imports],
        cwd: dir,
      });
      if (exitCode !== 0) throw new Error(`MLRun does not run:\n${output.slice(-2_000)}`);
    },
  });
}

/** It needs Python 3.9, which may be the system's, or one of pyenv's. */
async function findPython39(): Promise<string | undefined> {
  const versions = join(process.env['PYENV_ROOT'] ?? join(homedir(), '.pyenv'), 'versions');
  const there = await readdir(versions).catch(() => []);
  const ofPyenv = there
    .filter((name) => name.startsWith('3.9.'))
    .map((name) => join(versions, name, 'bin/python'));
  for (const command of ['python3.9', ...ofPyenv]) {
    const check =
      'import sys, venv, ensurepip; sys.exit(0 if sys.version_info[:2] == (3, 9) else 9)';
    const { exitCode } = await runTool({ command, args: ['-c', check] });
    if (exitCode === 0) return command;
  }
  return undefined;
}

export interface MlrunOptions {
  /** What its file proxy may read beside its own disk: `s3://`. */
  readonly allowedPaths?: string;
  /** Further variables of the server. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Mlrun extends ServerProcess {
  /** `http://127.0.0.1:PORT`. */
  readonly uri: string;
  readonly port: number;
  /** The folder of its artifacts, which it passes on. */
  readonly root: string;
  /** What a client of this server has in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs Python with `mlrun`, `os` and `root` (the artifacts' folder); throws when it fails. */
  python(code: string): Promise<string>;
  /** Writes a record of an artifact, made by `tree`. */
  putArtifact(
    project: string,
    key: string,
    record: object,
    as?: { readonly tag?: string; readonly tree?: string; readonly iter?: number },
  ): Promise<void>;
}

/** Its own `main` listens on every address. */
const SERVE = `
import uvicorn
run = uvicorn.run
uvicorn.run = lambda *args, **options: run(*args, **{**options, 'host': '127.0.0.1'})
import mlrun.api.main
mlrun.api.main.main()`;

/** Starts a server on a free port; its environment in the cache is made when it is not there. */
export async function startMlrun(options: MlrunOptions = {}): Promise<Mlrun> {
  const { python } = await ensureMlrun((line) => void process.stderr.write(`${line}\n`));
  const dir = scratchFolder('mlrun');
  const root = join(dir, 'artifacts');
  await mkdir(root);
  const port = await freePort();
  const uri = `http://127.0.0.1:${port}`;
  const server = await startProcess({
    name: 'MLRun',
    command: 'env',
    args: ['-u', 'PYTHONDONTWRITEBYTECODE', python, '-c', SERVE],
    dir,
    env: {
      HOME: dir,
      MLRUN_IGNORE_ENV_FILE: 'true',
      MLRUN_DBPATH: '',
      MLRUN_IS_API_SERVER: 'true',
      MLRUN_HTTPDB__PORT: String(port),
      MLRUN_HTTPDB__DSN: `sqlite:///${join(dir, 'mlrun.db')}?check_same_thread=false`,
      MLRUN_HTTPDB__LOGS_PATH: join(dir, 'logs'),
      MLRUN_HTTPDB__DATA_VOLUME: root,
      MLRUN_HTTPDB__REAL_PATH: root,
      MLRUN_ARTIFACT_PATH: root,
      ...(options.allowedPaths === undefined
        ? {}
        : { MLRUN_HTTPDB__ALLOWED_FILE_PATHS: options.allowedPaths }),
      ...options.env,
    },
    readyTimeoutMs: 180_000,
    isReady: async () => (await fetch(`${uri}/api/v1/healthz`)).ok,
  });
  const env = { MLRUN_DBPATH: uri };
  return {
    ...server,
    uri,
    port,
    root,
    env,
    python: async (code) => {
      const settings = Object.entries({
        ...env,
        ...options.env,
        MLRUN_IGNORE_ENV_FILE: 'true',
        HOME: dir,
      });
      const { exitCode, output } = await runTool({
        command: 'env',
        args: [
          ...[
            '-u',
            'PYTHONDONTWRITEBYTECODE',
            ...settings.map(([name, value]) => `${name}=${value}`),
          ],
          ...[
            python,
            '-W',
            'ignore',
            '-c',
            `import os, mlrun\nroot = ${JSON.stringify(root)}\n${code}`,
          ],
        ],
        cwd: dir,
      });
      if (exitCode !== 0) throw new Error(`the Python of the test failed:\n${output}`);
      return output;
    },
    putArtifact: async (
      project,
      key,
      record,
      { tag = 'latest', tree = `tree-of-${key}`, iter = 0 } = {},
    ) => {
      await ensureProject(uri, project);
      const query = `tag=${encodeURIComponent(tag)}&iter=${iter}`;
      const { metadata = {}, spec = {}, ...rest } = record as { metadata?: object; spec?: object };
      const answer = await fetch(
        `${uri}/api/v1/projects/${project}/artifacts/${tree}/${key}?${query}`,
        {
          method: 'POST',
          body: JSON.stringify({
            ...rest,
            metadata: { key, project, tree, iter, ...metadata },
            spec: { db_key: key, ...spec },
          }),
        },
      );
      if (!answer.ok)
        throw new Error(`MLRun took no artifact: ${answer.status} ${await answer.text()}`);
    },
  };
}

async function ensureProject(uri: string, name: string): Promise<void> {
  const answer = await fetch(`${uri}/api/v1/projects`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ metadata: { name } }),
  });
  if (answer.ok || answer.status === 409) return;
  throw new Error(`MLRun took no project: ${answer.status} ${await answer.text()}`);
}
