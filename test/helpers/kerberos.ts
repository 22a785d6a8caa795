/**
 * A Kerberos of a test's own: a realm, its KDC on a free port, key tabs and ticket caches. In a test:
 *
 *     const kerberos = await startKdc();
 *     const keytab = await kerberos.keytab('servers', ['hdfs/localhost', 'HTTP/localhost']);
 *     const cache = await kerberos.kinit('ada');
 *     ... with kerberos.env and KRB5CCNAME: cache as the environment ...
 *     await kerberos.stop();
 */
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureDebianProgram } from './debian.js';
import type { DebianProgram } from './debian.js';
import { freePort } from './ports.js';
import { acceptsConnections, scratchFolder, scrubbedEnv, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

const REALM = 'WAYBILL.TEST';
const PACKAGES = [
  ...[
    'krb5-kdc',
    'krb5-admin-server',
    'krb5-user',
    'libgssrpc4',
    'libkadm5srv-mit12',
    'libkadm5clnt-mit12',
  ],
  ...['libkdb5-10', 'libverto1', 'libverto-libev1', 'libev4', 'libkrb5-3', 'libgssapi-krb5-2'],
  ...['libk5crypto3', 'libkrb5support0', 'libkeyutils1', 'libcom-err2', 'libss2'],
  // The headers, with which the npm package `kerberos` is built.
  ...['krb5-multidev', 'comerr-dev'],
];

/** The KDC, `kinit` and their libraries, from Debian's packages in the cache. */
export async function ensureKerberos(onProgress: (line: string) => void): Promise<DebianProgram> {
  const wanted = { name: 'krb5', binary: '/usr/sbin/krb5kdc', packages: PACKAGES };
  return ensureDebianProgram({ ...wanted, isOwn: true }, onProgress);
}

export interface TicketOptions {
  /** `10s`, `1h` (default). */
  readonly lifetime?: string;
}

export interface Kerberos extends ServerProcess {
  readonly realm: string;
  /** The krb5.conf of the realm. */
  readonly confFile: string;
  /** What clients and servers of this realm have in their environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes principals with keys of their own, and a file with these. Answers its path. */
  keytab(name: string, principals: readonly string[]): Promise<string>;
  /** Makes a person, once, and gets a ticket into a cache of its own. Answers the path of the cache. */
  kinit(person: string, options?: TicketOptions): Promise<string>;
  /** Runs `kinit`, `klist`, `kdestroy`, `kvno`, ... in this realm. Answers what it said. */
  run(program: string, args: readonly string[]): Promise<string>;
}

/** Starts a realm without anybody in it. */
export async function startKdc(): Promise<Kerberos> {
  const { root, env: libraries } = await ensureKerberos((line) =>
    process.stderr.write(`${line}\n`),
  );
  const dir = scratchFolder('kerberos');
  const port = await freePort();
  const confFile = join(dir, 'krb5.conf');
  writeFileSync(confFile, krb5Conf(dir, root, port));
  mkdirSync(join(dir, 'caches'));
  const env = {
    ...libraries,
    KRB5_CONFIG: confFile,
    KRB5_KDC_PROFILE: confFile,
    KRB5CCNAME: `FILE:${join(dir, 'caches', 'nobody')}`,
  };
  const program = (name: string): string =>
    join(root, /^(krb5kdc|kadmin|kdb5)/u.test(name) ? 'usr/sbin' : 'usr/bin', name);
  const run: Kerberos['run'] = async (name, args) => {
    const options = { env: scrubbedEnv(env), cwd: dir };
    return (await promisify(execFile)(program(name), args, options)).stdout;
  };
  await run('kdb5_util', ['create', '-s', '-r', REALM, '-P', 'the key of a realm of tests']);
  const server = await startProcess({
    name: 'KDC',
    command: program('krb5kdc'),
    args: ['-n', '-r', REALM],
    dir,
    env,
    isReady: () => acceptsConnections(port),
  });
  const admin = async (...command: readonly string[]): Promise<void> =>
    void (await run('kadmin.local', ['-r', REALM, ...command]));
  const keytab: Kerberos['keytab'] = async (name, principals) => {
    const file = join(dir, `${name}.keytab`);
    for (const principal of principals) await admin('addprinc', '-randkey', principal);
    await admin('ktadd', '-k', file, ...principals);
    return file;
  };
  const keytabs = new Map<string, Promise<string>>();
  let caches = 0;
  return {
    ...server,
    realm: REALM,
    confFile,
    env,
    keytab,
    run,
    stop: async () => {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
    kinit: async (person, { lifetime = '1h' } = {}) => {
      const keys = keytabs.get(person) ?? keytab(person, [person]);
      keytabs.set(person, keys);
      const cache = join(dir, 'caches', `${person}-${(caches += 1)}`);
      await run('kinit', ['-k', '-t', await keys, '-c', cache, '-l', lifetime, person]);
      return cache;
    },
  };
}

function krb5Conf(dir: string, root: string, port: number): string {
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  return `[libdefaults]
  default_realm = ${REALM}
  dns_lookup_kdc = false
  dns_lookup_realm = false
  dns_canonicalize_hostname = false
  rdns = false
  udp_preference_limit = 1
[realms]
  ${REALM} = {
    kdc = 127.0.0.1:${port}
    kdc_listen = 127.0.0.1:${port}
    kdc_tcp_listen = 127.0.0.1:${port}
    database_module = here
    database_name = ${join(dir, 'principal')}
    key_stash_file = ${join(dir, 'stash')}
    acl_file = ${join(dir, 'acl')}
    max_life = 1d
  }
[dbmodules]
  db_module_dir = ${join(root, 'usr/lib', triplet, 'krb5/plugins/kdb')}
  here = {
    db_library = db2
    database_name = ${join(dir, 'principal')}
  }
[logging]
  kdc = FILE:${join(dir, 'kdc.messages')}
`;
}
