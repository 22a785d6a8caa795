/**
 * A real forward proxy: absolute addresses for http, CONNECT for https, a password where one is given. In a test:
 *
 *     const proxy = await startTinyproxy({ user: 'ada', password: 'engine' });
 *     ... proxy.url, proxy.urlWithPassword ...
 *     proxy.requests();                        // `CONNECT 127.0.0.1:443`, `GET http://127.0.0.1:80/a`
 *     await proxy.stop();
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDebianProgram } from './debian.js';
import type { DebianProgram } from './debian.js';
import { freePort } from './ports.js';
import { acceptsConnections, scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

/** tinyproxy, the system's own or from Debian's package in the cache. */
export async function ensureTinyproxy(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = ['tinyproxy-bin'];
  return ensureDebianProgram(
    { name: 'tinyproxy', binary: '/usr/bin/tinyproxy', packages },
    onProgress,
  );
}

export interface TinyproxyOptions {
  readonly user?: string;
  readonly password?: string;
  /** Hosts that it refuses with 403, as a regular expression. */
  readonly refuses?: string;
}

export interface Tinyproxy extends ServerProcess {
  readonly url: string;
  /** The same with the user and password, percent-encoded. */
  readonly urlWithPassword: string;
  /** The first line of every request that it was sent, without the protocol. */
  requests(): readonly string[];
}

/** Starts a tinyproxy in the foreground on a free port. */
export async function startTinyproxy(options: TinyproxyOptions = {}): Promise<Tinyproxy> {
  const program = await ensureTinyproxy((line) => process.stderr.write(`${line}\n`));
  const dir = scratchFolder('tinyproxy');
  const port = await freePort();
  const log = join(dir, 'requests.log');
  const { user, password = '', refuses } = options;
  const lines = [
    `Port ${port}`,
    'Listen 127.0.0.1',
    'Timeout 60',
    `LogFile "${log}"`,
    'LogLevel Connect',
    'MaxClients 200',
    ...(user === undefined ? [] : [`BasicAuth ${user} ${password}`]),
    ...(refuses === undefined ? [] : [`Filter "${join(dir, 'filter')}"`, 'FilterExtended On']),
  ];
  if (refuses !== undefined) await writeFile(join(dir, 'filter'), `${refuses}\n`);
  await writeFile(join(dir, 'tinyproxy.conf'), `${lines.join('\n')}\n`);
  const server = await startProcess({
    name: 'tinyproxy',
    command: program.path,
    args: ['-d', '-c', join(dir, 'tinyproxy.conf')],
    dir,
    env: program.env,
    isReady: () => acceptsConnections(port),
  });
  const url = `http://127.0.0.1:${port}`;
  const login = `${encodeURIComponent(user ?? '')}:${encodeURIComponent(password)}@`;
  return {
    ...server,
    url,
    urlWithPassword: user === undefined ? url : url.replace('//', `//${login}`),
    requests: () =>
      [...readFileSync(log, 'utf8').matchAll(/Request \(file descriptor \d+\): (.+) HTTP\/1/g)].map(
        ([, line = '']) => line,
      ),
  };
}
