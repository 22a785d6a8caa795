/**
 * A real ProFTPD that serves a folder to `ada`, whose password is `s3cret of ada`: MLSD, users of its own. In a test:
 *
 *     const server = await startProftpd({ root: folder });
 *     ... ftp://ada@127.0.0.1:${server.port}/ ...
 *     await server.stop();
 *
 * It is started by root and reads as `nobody`: the folder must be readable for everybody.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianProgram } from './debian.js';
import type { DebianProgram } from './debian.js';
import { freePort } from './ports.js';
import { acceptsConnections, scratchFolder, startProcess } from './processes.js';
import type { FtpServer, FtpServerOptions } from './vsftpd.js';

/** ProFTPD, the system's own or from Debian's packages in the cache. */
export async function ensureProftpd(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = [
    ...['proftpd-core', 'proftpd-mod-crypto', 'libcap2', 'libhiredis0.14', 'libidn2-0'],
    ...['libmemcached11', 'libmemcachedutil2', 'libhashkit2', 'libsasl2-2'],
    ...['libpcre2-8-0', 'libpcre2-posix3'],
  ];
  return ensureDebianProgram(
    { name: 'proftpd', binary: '/usr/sbin/proftpd', packages },
    onProgress,
  );
}

export const PASSWORD = 's3cret of ada';

/** Starts one on a free port. */
export async function startProftpd({ root, config = '' }: FtpServerOptions): Promise<FtpServer> {
  const program = await ensureProftpd((line) => process.stderr.write(`${line}\n`));
  const dir = scratchFolder('proftpd');
  const port = await freePort();
  const hash = execFileSync('openssl', ['passwd', '-5', '-salt', 'waybill', PASSWORD], {
    encoding: 'utf8',
  });
  const [passwords, file] = [join(dir, 'passwords'), join(dir, 'proftpd.conf')];
  writeFileSync(passwords, `ada:${hash.trim()}:65534:65534::${root}:/bin/sh\n`, { mode: 0o600 });
  writeFileSync(
    file,
    `ModulePath ${join(program.root, 'usr/lib/proftpd')}
${config.includes('TLSEngine') ? 'LoadModule mod_tls.c' : ''}
${config.includes('DigestEngine') ? 'LoadModule mod_digest.c' : ''}
ServerName test
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
Port ${port}
UseIPv6 off
User nobody
Group nogroup
PidFile ${dir}/pid
ScoreboardFile ${dir}/scoreboard
DelayEngine off
WtmpLog off
TransferLog none
SystemLog ${dir}/system.log
AuthPAM off
AuthUserFile ${passwords}
AuthOrder mod_auth_file.c
RequireValidShell off
UseFtpUsers off
UseReverseDNS off
DefaultRoot ${root}
${config}
`,
  );
  const server = await startProcess({
    name: 'proftpd',
    command: program.path,
    args: ['-n', '-q', '-c', file],
    dir,
    env: program.env,
    isReady: () => acceptsConnections(port),
  });
  return { ...server, port };
}
