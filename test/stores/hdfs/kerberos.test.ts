import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readHdfsConfig } from '../../../src/stores/hdfs/config.js';
import { hdfs } from '../../../src/stores/hdfs/index.js';
import { findPackage } from '../../../src/stores/hdfs/kerberos-package.js';
import { negotiateWith } from '../../../src/stores/hdfs/kerberos.js';
import type { Negotiate } from '../../../src/stores/hdfs/negotiate.js';
import { HdfsStore } from '../../../src/stores/hdfs/store.js';
import type { ConnectionSettings, StoreAddress } from '../../../src/stores/store.js';
import { makeAuthority, type Authority } from '../../helpers/certificates.js';
import { ensureHadoop } from '../../helpers/hadoop-install.js';
import { startHadoop, type Hadoop } from '../../helpers/hadoop.js';
import { ensureKerberosPackage } from '../../helpers/kerberos-package.js';
import { startKdc, type Kerberos } from '../../helpers/kerberos.js';
import { partsInPlace } from '../../helpers/parts-in-place.js';
import { scratchFolder } from '../../helpers/processes.js';
import { openWaybill, type WaybillBed } from '../../helpers/waybill.js';
import { endedTicket } from './ended-ticket.js';
import { layOutGlobally } from './installed.js';

const NAME_NODE = new URL('https://localhost:9871');
const BODY = Buffer.from(Array.from({ length: 2 * 1024 * 1024 + 7 }, (_, at) => (at * 7919) % 251));

let folder: string;
let kerberos: Kerberos;
let module: string;
let ada: string;
let authority: Authority;
let hadoop: Hadoop;

beforeAll(async () => {
  folder = scratchFolder('hdfs-kerberos');
  module = await ensureKerberosPackage((line) => process.stderr.write(`${line}\n`));
  kerberos = await startKdc();
  ada = await kerberos.kinit('ada');
  authority = makeAuthority(folder);
  hadoop = await startHadoop({ kerberos, tls: authority.issue('server'), dataNodes: 2 });
  await hadoop.putFile('/models/churn/a b.bin', BODY);
  await hadoop.putFile('/models/churn/c', 'abc');
  await hadoop.putFile('/secret/d', 'abc');
  await hadoop.dfs(['-chmod', '700', '/secret']);
});

afterAll(async () => {
  await hadoop.stop();
  await kerberos.stop();
  rmSync(folder, { recursive: true, force: true });
});

const settingsOf = (more: ConnectionSettings): ConnectionSettings => ({
  KRB5_CONFIG: kerberos.confFile,
  ...more,
});

describe('a cluster that wants tickets of Kerberos', () => {
  const openStore = async (
    uri: string,
    more: ConnectionSettings,
    wrap: (negotiate: Negotiate) => Negotiate = (same) => same,
  ): Promise<HdfsStore> => {
    const settings = settingsOf({
      HADOOP_CONF_DIR: hadoop.userConf({ hdfsSite: { 'dfs.http.policy': 'HTTPS_ONLY' } }),
      SSL_CERT_FILE: authority.certFile,
      ...more,
    });
    const address = { uri, settings, secrets: {} };
    const negotiate = wrap(negotiateWith(settings, module));
    return new HdfsStore(await readHdfsConfig(address), address, negotiate);
  };

  it('takes the one of curl, and nobody without one', async () => {
    const url = `https://localhost:${hadoop.port}/webhdfs/v1/models/churn/c?op=OPEN`;
    const args = ['-s', '-L', '--negotiate', '-u', ':', '--cacert', authority.certFile, url];
    const curl = async (env: NodeJS.ProcessEnv): Promise<string> =>
      (await promisify(execFile)('curl', args, { env })).stdout;
    expect(await curl({ ...kerberos.env, KRB5CCNAME: ada })).toBe('abc');
    expect(await curl(kerberos.env)).toContain('Authentication required');
  });

  it('is read with a ticket, which is shown once for many requests at once', async () => {
    let shown = 0;
    const store = await openStore('hdfs:///models/churn', { KRB5CCNAME: ada }, (negotiate) => {
      return (...asked) => {
        shown += 1;
        return negotiate(...asked);
      };
    });
    try {
      const names = await Promise.all(
        Array.from({ length: 8 }, async () => (await store.stat('a b.bin')).path),
      );
      expect(new Set(names)).toEqual(new Set(['a b.bin']));
      const listed: string[] = [];
      for await (const { path } of store.list('', { recursive: true })) listed.push(path);
      expect(listed).toEqual(['a b.bin', 'c']);
      const { body } = await store.openRead('a b.bin', {
        offsetBytes: 1_048_570,
        lengthBytes: 999,
      });
      expect((await buffer(body)).equals(BODY.subarray(1_048_570, 1_049_569))).toBe(true);
      expect(shown).toBe(1);
    } finally {
      await store.close();
    }
  });

  it('denies what its user may not read, whoever runs this process', async () => {
    const store = await openStore('hdfs:///secret', { MLFLOW_KERBEROS_TICKET_CACHE: ada });
    try {
      await expect(store.openRead('d')).rejects.toMatchObject({
        code: 'WB_PERMISSION_DENIED',
        message: expect.stringMatching(/denies the owner of the Kerberos ticket.*user=ada/s),
      });
    } finally {
      await store.close();
    }
  });

  it('refuses a ticket that has ended, saying what to type', async () => {
    const store = await openStore('hdfs:///models/churn', {
      KRB5CCNAME: await endedTicket(kerberos),
    });
    try {
      await expect(store.openRead('c')).rejects.toMatchObject({
        code: 'WB_UNAUTHENTICATED',
        message: expect.stringMatching(/run kinit.*expired/is),
      });
    } finally {
      await store.close();
    }
  });
});

describe('a delegation token of a cluster that wants tickets', () => {
  const web = (): string => `https://localhost:${hadoop.port}/webhdfs/v1/`;
  const curl = async (...words: readonly string[]): Promise<string> => {
    const args = ['-sf', '--negotiate', '-u', ':', '--cacert', authority.certFile, ...words];
    const env = { ...kerberos.env, KRB5CCNAME: ada };
    return (await promisify(execFile)('curl', args, { env })).stdout;
  };
  /** Reads with nothing but what is given: no ticket is there. */
  const read = async (
    given: Pick<StoreAddress, 'settings' | 'secrets'>,
    path = 'a b.bin',
  ): Promise<Buffer> => {
    const settings = {
      HADOOP_CONF_DIR: hadoop.userConf({ hdfsSite: { 'dfs.http.policy': 'HTTPS_ONLY' } }),
      SSL_CERT_FILE: authority.certFile,
      ...given.settings,
    };
    const store = await hdfs.open({ ...given, uri: 'hdfs:///models/churn', settings });
    try {
      const listed: string[] = [];
      for await (const entry of store.list('', { recursive: true })) listed.push(entry.path);
      expect(listed).toEqual(['a b.bin', 'c']);
      const { body, digests } = await store.openRead(path);
      expect(Object.keys(digests ?? {})).toEqual(['md5crc']);
      return await buffer(body);
    } finally {
      await store.close();
    }
  };

  it('is taken as op=GETDELEGATIONTOKEN gives it, until it is cancelled', async () => {
    const said = JSON.parse(await curl(`${web()}?op=GETDELEGATIONTOKEN&renewer=ada`)) as {
      readonly Token: { readonly urlString: string };
    };
    const token = said.Token.urlString;
    const given = { settings: {}, secrets: { WAYBILL_HDFS_TOKEN: token } };
    expect((await read(given)).equals(BODY)).toBe(true);
    await curl('-X', 'PUT', `${web()}?op=CANCELDELEGATIONTOKEN&token=${token}`);
    await expect(read(given)).rejects.toMatchObject({
      code: 'WB_UNAUTHENTICATED',
      message: expect.stringMatching(/get a new one.*WAYBILL_HDFS_TOKEN/s),
    });
  });

  it('is taken out of the file that `hdfs fetchdt` writes', async () => {
    const file = join(folder, 'tokens');
    const ofServers = `hdfs/localhost@${kerberos.realm}`;
    const conf = hadoop.userConf({ hdfsSite: { 'dfs.namenode.kerberos.principal': ofServers } });
    const java = [`-Djava.security.krb5.conf=${kerberos.confFile}`, '-Xmx96m', '-XX:+UseSerialGC'];
    const classes = `${conf}:${await ensureHadoop(() => undefined)}`;
    const fetchdt = ['org.apache.hadoop.hdfs.tools.DelegationTokenFetcher', '--renewer', 'ada'];
    await promisify(execFile)('java', [...java, '-cp', classes, ...fetchdt, file], {
      env: { PATH: process.env['PATH'], KRB5CCNAME: ada },
    });
    const given = { settings: { HADOOP_TOKEN_FILE_LOCATION: file }, secrets: {} };
    expect((await read(given)).equals(BODY)).toBe(true);
  });
});

describe('a pull by the command line', () => {
  const FILES = 8;
  let bed: WaybillBed;
  let main: string;
  beforeAll(async () => {
    main = layOutGlobally(join(folder, 'prefix'), module);
    bed = openWaybill(join(folder, 'waybill'));
    const tree = join(folder, 'night');
    mkdirSync(tree);
    for (let file = 0; file < FILES; file += 1) writeFileSync(join(tree, `part-${file}`), BODY);
    await hadoop.putTree('/models/night', tree);
  });
  afterAll(() => bed.close());

  const envWith = (cache: string): Readonly<Record<string, string>> => ({
    HADOOP_CONF_DIR: hadoop.userConf({ hdfsSite: { 'dfs.http.policy': 'HTTPS_ONLY' } }),
    REQUESTS_CA_BUNDLE: authority.certFile,
    KRB5_CONFIG: kerberos.confFile,
    KRB5CCNAME: cache,
  });
  it('brings all of it, proven by the file system, with the package that npm put beside Waybill', async () => {
    const to = join(bed.dir, 'churn');
    const run = await bed.run(['pull', 'hdfs:///models/churn', to, '--json'], {
      main,
      env: envWith(ada),
    });
    expect({ exitCode: run.exitCode, stderr: run.stderr }).toMatchObject({ exitCode: 0 });
    expect(readFileSync(join(to, 'a b.bin')).equals(BODY)).toBe(true);
    const receipt = readFileSync(join(to, '.waybill', 'receipt.json'), 'utf8');
    expect(JSON.parse(receipt)).toMatchObject({ levels: { provider: 2 } });
    expect(await bed.run(['verify', to], { main })).toMatchObject({ exitCode: 0 });
  });

  it('is blocked when its ticket has ended, and goes on after kinit', async () => {
    const [to, cache] = [join(bed.dir, 'night'), join(folder, 'cache-of-ada')];
    copyFileSync(ada, cache);
    // One file after the other: the next is opened by whoever has to show a ticket again.
    const slowly = ['--max-bandwidth', '1MiB/s', '--concurrency', '1'];
    const pull = ['pull', 'hdfs:///models/night', to, ...slowly];
    const pulling = bed.start(pull, { main, env: envWith(cache) });
    let isOver = false;
    void pulling.done.finally(() => (isOver = true)).catch(() => undefined);
    while (partsInPlace(to) < 1) {
      if (isOver) throw new Error(`it ended before it was half-way:\n${pulling.stderr()}`);
      await sleep(20);
    }
    copyFileSync(await endedTicket(kerberos), cache);
    // What has shown a ticket is believed for hours; a name node that was started again knows nobody.
    await hadoop.stopNameNode(0);
    await hadoop.startNameNode(0);
    for (;;) {
      const { stdout } = await bed.run(['status', to, '--json'], { main });
      if (/"blocked"/u.test(stdout) && /kinit/u.test(stdout)) break;
      if (isOver) throw new Error(`it ended without a word:\n${pulling.stderr()}`);
      await sleep(200);
    }
    expect(partsInPlace(to)).toBeLessThan(FILES);
    copyFileSync(ada, cache);
    await bed.run(['tune', to, '--max-bandwidth', 'never'], { main });
    await bed.run(['retry', to], { main });
    const { exitCode, stderr } = await pulling.done;
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    for (let file = 0; file < FILES; file += 1) {
      expect(readFileSync(join(to, `part-${file}`)).equals(BODY)).toBe(true);
    }
  });
});

describe('the package that speaks Kerberos', () => {
  it('is also found where npm installs globally, for a Waybill that lies elsewhere', () => {
    const [name, lib] = ['kerberos-of-a-test', join(folder, 'lib')];
    mkdirSync(join(lib, 'node_modules'), { recursive: true });
    symlinkSync(module, join(lib, 'node_modules', name));
    expect(findPackage(name)).toBe(name);
    expect(findPackage(name, [join(folder, 'nothing'), lib])).toBe(findPackage(module));
  });
});

describe('tokens for a name node', () => {
  const tokenWith = (more: ConnectionSettings, at = NAME_NODE, of = module): Promise<string> =>
    negotiateWith(settingsOf(more), of)(at, undefined);

  it('come from the cache and the user that are named, and from a key tab', async () => {
    const elsewhere = { KRB5CCNAME: `FILE:${join(folder, 'nowhere')}` };
    const night = await kerberos.keytab('night', ['night']);
    for (const named of [
      { KRB5CCNAME: ada },
      { ...elsewhere, MLFLOW_KERBEROS_TICKET_CACHE: ada },
      { KRB5CCNAME: ada, MLFLOW_KERBEROS_USER: 'ada' },
      { KRB5_CLIENT_KTNAME: night, KRB5CCNAME: join(folder, 'of-night') },
    ]) {
      expect(await tokenWith(named)).toMatch(/^Negotiate YI/);
    }
  });

  it.each<[string, () => Promise<string>, RegExp]>([
    ['no cache', () => tokenWith({ KRB5CCNAME: join(folder, 'nowhere') }), /nowhere.*run kinit/s],
    [
      'somebody else',
      () => tokenWith({ KRB5CCNAME: ada, MLFLOW_KERBEROS_USER: 'bob' }),
      /bob \(MLFLOW_KERBEROS_USER\).*run kinit/s,
    ],
    [
      'a name that the realm does not know',
      () => tokenWith({ KRB5CCNAME: ada }, new URL('https://127.0.0.1:9871')),
      /knows no service HTTP\/127\.0\.0\.1/,
    ],
    [
      'no package',
      () => tokenWith({ KRB5CCNAME: ada }, NAME_NODE, 'no-such-package'),
      /npm install the package kerberos/,
    ],
  ])('cannot be had: %s', async (_, ask, message) => {
    await expect(ask()).rejects.toMatchObject({
      code: 'WB_UNAUTHENTICATED',
      message: expect.stringMatching(message),
    });
  });

  it('end with whoever waits for them', async () => {
    const reason = new Error('enough');
    const asked = negotiateWith(settingsOf({ KRB5CCNAME: ada }), module);
    await expect(asked(NAME_NODE, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
