import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readHdfsConfig } from '../../../src/stores/hdfs/config.js';
import { findPackage } from '../../../src/stores/hdfs/kerberos-package.js';
import { negotiateWith } from '../../../src/stores/hdfs/kerberos.js';
import type { Negotiate } from '../../../src/stores/hdfs/negotiate.js';
import { HdfsStore } from '../../../src/stores/hdfs/store.js';
import type { ConnectionSettings } from '../../../src/stores/store.js';
import { makeAuthority, type Authority } from '../../helpers/certificates.js';
import { startHadoop, type Hadoop } from '../../helpers/hadoop.js';
import { ensureKerberosPackage } from '../../helpers/kerberos-package.js';
import { startKdc, type Kerberos } from '../../helpers/kerberos.js';
import { scratchFolder } from '../../helpers/processes.js';

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

/** A ticket that has ended, for a second at least. */
async function endedTicket(): Promise<string> {
  const cache = await kerberos.kinit('ada', { lifetime: '1s' });
  const isThere = (): Promise<boolean> =>
    kerberos.run('klist', ['-s', '-c', cache]).then(
      () => true,
      () => false,
    );
  while (await isThere());
  const second = Math.floor(Date.now() / 1000);
  while (Math.floor(Date.now() / 1000) <= second + 1) await isThere();
  return cache;
}

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
    const store = await openStore('hdfs:///models/churn', { KRB5CCNAME: await endedTicket() });
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
