/** A real PostgreSQL 15, as a user that is not root. */
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ensureDebianProgram } from '../helpers/debian.js';
import type { DebianProgram } from '../helpers/debian.js';
import {
  scratchFolder,
  scrubbedEnv,
  startProcess,
  startRestartable,
} from '../helpers/processes.js';
import type { Restartable, ServerProcess } from '../helpers/processes.js';

export const POSTGRES_BINARY = '/usr/lib/postgresql/15/bin/postgres';

/** Of Debian's packages: `nobody`, who has a number everywhere. */
const NOBODY = 65_534;

/** PostgreSQL, the system's own or from Debian's packages in the cache. */
export async function ensurePostgres(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = [
    ...['postgresql-15', 'postgresql-client-15', 'libpq5', 'libicu72', 'libxml2', 'libldap-2.5-0'],
    ...['libsasl2-2', 'libgssapi-krb5-2', 'libkrb5-3', 'libk5crypto3', 'libkrb5support0'],
    ...['libkeyutils1', 'libcom-err2', 'liblz4-1', 'libpam0g', 'libssl3'],
  ];
  return ensureDebianProgram({ name: 'postgresql', binary: POSTGRES_BINARY, packages }, onProgress);
}

export interface Postgres extends Restartable {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/**
 * Starts an empty one on 127.0.0.1.
 * @param runner where that is: the beginning of a command line in a network namespace of its own
 */
export async function startPostgres(runner: readonly string[]): Promise<Postgres> {
  const program = await ensurePostgres((line) => process.stderr.write(`${line}\n`));
  const dir = scratchFolder('postgres');
  const isRoot = process.getuid?.() === 0;
  const as = isRoot
    ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--']
    : [];
  let binary = program.path;
  if (isRoot && program.root !== '/') {
    // Nobody but root may look into root's own cache.
    cpSync(join(program.root, 'usr'), join(dir, 'usr'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    binary = join(dir, POSTGRES_BINARY);
  }
  const env = Object.fromEntries(
    Object.entries(program.env).map(([name, value]) => [
      name,
      isRoot && program.root !== '/' ? value.replaceAll(program.root, dir) : value,
    ]),
  );
  const home = join(dir, 'home');
  mkdirSync(home);
  chmodSync(home, 0o777);
  const password = 'for-this-run-alone';
  writeFileSync(join(home, 'password'), password);
  const [command = '', ...initdb] = [
    ...[...as, join(dirname(binary), 'initdb'), '-D', join(home, 'data'), '-U', 'temporal'],
    ...['--auth=scram-sha-256', `--pwfile=${join(home, 'password')}`, '--no-sync', '-E', 'UTF8'],
    '--locale=C',
  ];
  execFileSync(command, initdb, { cwd: home, env: scrubbedEnv(env), stdio: 'pipe' });
  const port = 5432;
  const settings = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: '',
    // A killed process loses nothing by this, and the machine does not fail in a test.
    fsync: 'off',
    jit: 'off',
    max_connections: '100',
  };
  const [program0 = '', ...args] = [
    ...[...runner, ...as, binary, '-D', join(home, 'data')],
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  const start = (): Promise<ServerProcess> =>
    startProcess({
      name: 'PostgreSQL',
      command: program0,
      args,
      dir,
      env,
      isReady: () => {
        const ready = [...runner, join(dirname(binary), 'pg_isready'), '-q', '-h', '127.0.0.1'];
        const [asking = '', ...rest] = [...ready, '-p', String(port)];
        execFileSync(asking, rest, { env: scrubbedEnv(env), stdio: 'pipe' });
        return Promise.resolve(true);
      },
    });
  const server = await startRestartable(start);
  return {
    host: '127.0.0.1',
    port,
    user: 'temporal',
    password,
    ...server,
  };
}
