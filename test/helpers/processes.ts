import { chmodSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServerProcess } from '../../src/demo/server-process.js';
import type { ServerProcess, ServerProcessOptions } from '../../src/demo/server-process.js';

export { acceptsConnections } from '../../src/demo/server-process.js';
export type { ServerProcess } from '../../src/demo/server-process.js';

/** A new empty folder that everybody may read (mkdtemp's own mode shuts out Apache's user). */
export function scratchFolder(name: string): string {
  const dir = mkdtempSync(join(tmpdir(), `waybill-${name}-`));
  chmodSync(dir, 0o755);
  return dir;
}

/** The environment of the tests without the settings of whoever runs them. */
export function scrubbedEnv(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !/^(AWS|AZURE|MLFLOW|TEMPORAL|WAYBILL|MINIO|MLRUN|GOOGLE|GCP|GS|CLOUDSDK|STORAGE_EMULATOR)_/u.test(
        name,
      ),
  );
  return { ...Object.fromEntries(kept), ...extra };
}

/** The command lines of the running processes that name something, such as a folder. */
export function commandLinesWith(text: string): string[] {
  const lines = readdirSync('/proc')
    .filter((name) => /^\d+$/u.test(name) && Number(name) !== process.pid)
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        // It has ended.
        return '';
      }
    });
  return lines.filter((line) => line.includes(text));
}

export type StartProcess = Pick<
  ServerProcessOptions,
  'name' | 'command' | 'args' | 'isReady' | 'readyTimeoutMs'
> & { readonly dir: string; readonly env?: Readonly<Record<string, string>> };

/**
 * Starts a server for a test, with its log in `<dir>/<name>.log`. It ends with `stop()`, and by itself when
 * the process of the test ends, however that happens.
 */
export async function startProcess(options: StartProcess): Promise<ServerProcess> {
  const { dir, env, ...rest } = options;
  const logFile = join(dir, `${options.name.toLowerCase()}.log`);
  return startServerProcess({ ...rest, cwd: dir, logFile, env: scrubbedEnv(env) });
}

/** A server that may fail and come back over the same data. */
export interface Restartable {
  /** As a power cut would end it. */
  kill(): Promise<void>;
  /** Starts again over the same data. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server that can be started again. */
export async function startRestartable(start: () => Promise<ServerProcess>): Promise<Restartable> {
  let server = await start();
  return {
    kill: async () => {
      server.kill('SIGKILL');
      await server.stop();
    },
    restart: async () => {
      server = await start();
    },
    stop: () => server.stop(),
  };
}
