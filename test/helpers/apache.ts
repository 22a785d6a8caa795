/**
 * A real Apache httpd that serves a folder with directory indexes. In a test:
 *
 *     const apache = await startApache({ root: folder, indexOptions: 'FancyIndexing HTMLTable' });
 *     ... apache.url + '/' ...
 *     await apache.stop();
 *
 * Started by root it reads as `nobody`: the folder and those above it must be readable for everybody
 * (`scratchFolder` makes such).
 */
import { userInfo } from 'node:os';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDebianProgram } from './debian.js';
import type { DebianProgram } from './debian.js';
import { freePort } from './ports.js';
import { acceptsConnections, scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

/** Apache httpd, the system's own or from Debian's packages in the cache. */
export async function ensureApache(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = ['apache2-bin', 'libapr1', 'libaprutil1', 'libpcre2-8-0', 'libexpat1'];
  return ensureDebianProgram({ name: 'apache', binary: '/usr/sbin/apache2', packages }, onProgress);
}

export interface ApacheOptions {
  /** The folder that is served at `/`. */
  readonly root: string;
  readonly port?: number;
  /** `IndexOptions` of mod_autoindex: `FancyIndexing HTMLTable`, `FancyIndexing`, or none for a list. */
  readonly indexOptions?: string;
  /** More lines of configuration, at the end. */
  readonly config?: string;
}

export interface Apache extends ServerProcess {
  readonly url: string;
  readonly port: number;
}

const MODULES = 'mpm_event authz_core authn_core dir autoindex mime headers'.split(' ');

/** Starts an Apache in the foreground on a free port. */
export async function startApache(options: ApacheOptions): Promise<Apache> {
  const program = await ensureApache((line) => process.stderr.write(`${line}\n`));
  const dir = scratchFolder('apache');
  const port = options.port ?? (await freePort());
  await writeFile(join(dir, 'httpd.conf'), configOf(options, dir, port, program.root));
  const server = await startProcess({
    name: 'Apache',
    command: program.path,
    args: ['-d', dir, '-f', join(dir, 'httpd.conf'), '-DFOREGROUND'],
    dir,
    env: program.env,
    isReady: () => acceptsConnections(port),
  });
  return { ...server, url: `http://127.0.0.1:${port}`, port };
}

function configOf(options: ApacheOptions, dir: string, port: number, root: string): string {
  const folder = join(root, 'usr/lib/apache2/modules');
  const modules = MODULES.map((name) => `LoadModule ${name}_module "${folder}/mod_${name}.so"`);
  return `ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile "${dir}/httpd.pid"
DefaultRuntimeDir "${dir}"
Mutex file:${dir} default
ErrorLog "${dir}/error.log"
${modules.join('\n')}
${userInfo().uid === 0 ? 'User nobody\nGroup nogroup' : ''}
StartServers 1
MinSpareThreads 4
MaxSpareThreads 16
ThreadsPerChild 16
ServerLimit 2
MaxRequestWorkers 32
MaxKeepAliveRequests 0
TypesConfig /dev/null
DocumentRoot "${options.root}"
<Directory "${options.root}">
  Options +Indexes +FollowSymLinks
  Require all granted
</Directory>
IndexOptions ${options.indexOptions ?? 'FancyIndexing HTMLTable NameWidth=*'}
${options.config ?? ''}
`;
}
