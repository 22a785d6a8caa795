/**
 * A real vsftpd that serves a folder to anybody: LIST and no MLSD. In a test:
 *
 *     const server = await startVsftpd({ root: folder });
 *     ... ftp://127.0.0.1:${server.port}/ ...
 *     await server.stop();
 *
 * It is started by root and reads as `daemon`: the folder must be readable for everybody, and not writable for that user.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianProgram } from './debian.js';
import type { DebianProgram } from './debian.js';
import { freePort } from './ports.js';
import { acceptsConnections, scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

/** vsftpd, the system's own or from Debian's packages in the cache. */
export async function ensureVsftpd(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = ['vsftpd', 'libwrap0', 'libcap2'];
  return ensureDebianProgram({ name: 'vsftpd', binary: '/usr/sbin/vsftpd', packages }, onProgress);
}

export interface FtpServerOptions {
  /** The folder that is served. */
  readonly root: string;
  /** More lines of configuration, at the end. */
  readonly config?: string;
}

export interface VsftpdOptions extends FtpServerOptions {
  /** Where it listens; by default a free port of 127.0.0.1. */
  readonly at?: { readonly host: string; readonly port: number };
}

/** A running server. */
export interface FtpServer extends ServerProcess {
  readonly port: number;
}

/** Starts one on a free port. */
export async function startVsftpd({ root, config = '', at }: VsftpdOptions): Promise<FtpServer> {
  const program = await ensureVsftpd((line) => process.stderr.write(`${line}\n`));
  const dir = scratchFolder('vsftpd');
  const { host, port } = at ?? { host: '127.0.0.1', port: await freePort() };
  const file = join(dir, 'vsftpd.conf');
  mkdirSync(join(dir, 'empty'));
  writeFileSync(
    file,
    `listen=YES
listen_address=${host}
listen_port=${port}
background=NO
anonymous_enable=YES
local_enable=NO
no_anon_password=YES
anon_root=${root}
ftp_username=daemon
secure_chroot_dir=${dir}/empty
vsftpd_log_file=${dir}/transfers.log
seccomp_sandbox=NO
${config}
`,
  );
  const server = await startProcess({
    name: 'vsftpd',
    command: program.path,
    args: [file],
    dir,
    env: program.env,
    isReady: () => acceptsConnections(port, host),
  });
  return { ...server, port };
}
