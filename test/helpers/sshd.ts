/**
 * A real OpenSSH server that lets one made-up user in. In a test:
 *
 *     const sshd = await startSshd();
 *     ... sftp://waybill@127.0.0.1:${sshd.port}/path, settings: sshd.settings ...
 *     await sshd.stop();
 *
 * It runs without root and knows no user of the machine: nss_wrapper shows it a user file of its own.
 */
import { chown, copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from '../../src/service/run-tool.js';
import { ensureDebianProgram } from './debian.js';
import type { DebianProgram } from './debian.js';
import { freePort } from './ports.js';
import { acceptsConnections, scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

/** Who the server runs as where the tests run as root: it must not read what only root may. */
const NOBODY = 65_534;

/** The one user, with a shell. */
export const SSHD_USER = 'waybill';
export const SSHD_PASSWORD = 'a-password-of-sshd';

/** Of `SSHD_PASSWORD`, as `openssl passwd -6` makes it. */
const PASSWORD_HASH =
  '$6$waybill$m1a/KJHUYUXfleIMe1jcBDr4Sizk2jGHQXa7jXUgLSM/1UQXiamR5LKQ3h/u5QtgVO6aJtk8H9nDSp6PgAPVj.';

/** OpenSSH's server and client tools from Debian's packages, in the cache: the system's own has no user for tests. */
export async function ensureSshd(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = ['openssh-server', 'openssh-client', 'libwrap0', 'libnss-wrapper'];
  // A path that no system has: nss_wrapper has to come along.
  const binary = '/usr/sbin/sshd-of-the-tests';
  const program = await ensureDebianProgram({ name: 'openssh', binary, packages }, onProgress);
  return { ...program, path: join(program.root, 'usr/sbin/sshd') };
}

export interface SshdOptions {
  /** More lines for `sshd_config`: `MaxSessions 1`. */
  readonly config?: string;
  /** Nothing but SFTP, as a server that gives nobody a shell. */
  readonly isSftpOnly?: boolean;
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Other names for it in its file of known hosts: `[files.example]:2222`. */
  readonly names?: readonly string[];
  /** Kinds of host keys beside Ed25519: `rsa`. */
  readonly otherHostKeys?: readonly string[];
}

export interface Sshd extends ServerProcess {
  readonly port: number;
  readonly dir: string;
  /** The private key that it lets in. */
  readonly keyFile: string;
  /** A file with its own key, by the address that it listens on. */
  readonly knownHostsFile: string;
  /** Its public host keys, as a line of `known_hosts` without the name. */
  readonly hostKey: string;
  /** Settings with which a store reaches it, and nothing of the machine. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Starts a server on a free port of 127.0.0.1. */
export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const program = await ensureSshd((line) => process.stderr.write(`${line}\n`));
  const dir = scratchFolder('sshd');
  const port = options.port ?? (await freePort());
  const isRoot = process.getuid?.() === 0;
  const uid = isRoot ? NOBODY : (process.getuid?.() ?? NOBODY);
  await fill(program, dir, uid, options.otherHostKeys ?? []);
  await writeFile(join(dir, 'sshd_config'), configOf(options, dir, port));
  const server = [join(dir, 'sshd'), '-D', '-e', '-f', join(dir, 'sshd_config')];
  // Of the libraries in the cache nobody else may see any.
  const drop = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
  const [command = '', ...args] = isRoot ? ['setpriv', ...drop, ...server] : server;
  const started = await startProcess({
    name: 'sshd',
    command,
    args,
    dir,
    env: {
      LD_LIBRARY_PATH: join(dir, 'lib'),
      LD_PRELOAD: join(dir, 'lib/libnss_wrapper.so'),
      NSS_WRAPPER_PASSWD: join(dir, 'passwd'),
      NSS_WRAPPER_GROUP: join(dir, 'group'),
      NSS_WRAPPER_SHADOW: join(dir, 'shadow'),
    },
    isReady: () => acceptsConnections(port, options.host),
  });
  const hostKey = publicPart(await readFile(join(dir, 'host_key.pub'), 'utf8'));
  const knownHostsFile = join(dir, 'known_hosts');
  // Through a proxy on another port it is the same server.
  const names = ['[127.0.0.1]:*', ...(options.names ?? [])];
  await writeFile(knownHostsFile, `${names.join(',')} ${hostKey}\n`);
  await writeFile(join(dir, 'ssh_config'), '');
  return {
    ...started,
    port,
    dir,
    keyFile: join(dir, 'user_key'),
    knownHostsFile,
    hostKey,
    settings: {
      WAYBILL_SFTP_CONFIG_FILE: join(dir, 'ssh_config'),
      WAYBILL_SFTP_KNOWN_HOSTS_FILE: knownHostsFile,
      WAYBILL_SFTP_KEY_FILE: join(dir, 'user_key'),
    },
    stop: async () => {
      await started.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** Makes a pair of keys with ssh-keygen. @returns the public part, as a line of `known_hosts` has it */
export async function makeKey(file: string, passphrase = '', type = 'ed25519'): Promise<string> {
  const made = await sshTool('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-f', file]);
  if (made.exitCode !== 0) throw new Error(`ssh-keygen: ${made.output}`);
  return publicPart(await readFile(`${file}.pub`, 'utf8'));
}

/** Runs a tool of OpenSSH's client. */
export async function sshTool(name: string, args: readonly string[]): ReturnType<typeof runTool> {
  return runTool({ command: await sshToolPath(name), args });
}

/** Where a tool of OpenSSH's client lies. */
export async function sshToolPath(name: string): Promise<string> {
  const { root } = await ensureSshd((line) => process.stderr.write(`${line}\n`));
  return join(root, 'usr/bin', name);
}

/** What runs as another user must be able to read its program, which the cache of root does not let it. */
async function fill(
  program: DebianProgram,
  dir: string,
  uid: number,
  kinds: readonly string[],
): Promise<void> {
  await mkdir(join(dir, 'lib'));
  await mkdir(join(dir, 'home'));
  await copyFile(program.path, join(dir, 'sshd'));
  for (const folder of Object.values(program.env).join(':').split(':')) {
    const names = await readdir(folder).catch(() => []);
    for (const name of names.filter((one) => /^lib.*\.so/u.test(one))) {
      await copyFile(join(folder, name), join(dir, 'lib', name));
    }
  }
  await makeKey(join(dir, 'host_key'));
  const userKey = await makeKey(join(dir, 'user_key'));
  await writeFile(join(dir, 'authorized_keys'), `${userKey}\n`);
  await writeFile(join(dir, 'passwd'), `${SSHD_USER}:x:${uid}:${uid}::${dir}/home:/bin/sh\n`);
  await writeFile(join(dir, 'group'), `${SSHD_USER}:x:${uid}:\n`);
  await writeFile(join(dir, 'shadow'), `${SSHD_USER}:${PASSWORD_HASH}:19000:0:99999:7:::\n`);
  const others = kinds.map((type) => `host_key_${type}`);
  for (const [index, type] of kinds.entries())
    await makeKey(join(dir, others[index] ?? ''), '', type);
  if (process.getuid?.() !== 0) return;
  for (const name of ['host_key', ...others, 'home', 'authorized_keys', 'shadow']) {
    await chown(join(dir, name), uid, uid);
  }
}

function configOf(
  { config = '', isSftpOnly, otherHostKeys = [], host = '127.0.0.1' }: SshdOptions,
  dir: string,
  port: number,
): string {
  return `ListenAddress ${host}:${port}
HostKey ${dir}/host_key
${otherHostKeys.map((type) => `HostKey ${dir}/host_key_${type}\n`).join('')}AuthorizedKeysFile ${dir}/authorized_keys
PidFile none
UsePAM no
StrictModes no
UseDNS no
PrintMotd no
MaxStartups 100
LogLevel VERBOSE
${config}
Subsystem sftp internal-sftp
${isSftpOnly === true ? 'ForceCommand internal-sftp' : ''}
`;
}

/** Type and key, without the comment. */
function publicPart(line: string): string {
  return line.trim().split(' ').slice(0, 2).join(' ');
}
