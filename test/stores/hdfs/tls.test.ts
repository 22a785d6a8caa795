/** Servers of Hadoop that speak TLS only, with certificates of a company's own authority, and ask each caller for one. */
import { readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import { makeAuthority, type Authority, type Issued } from '../../helpers/certificates.js';
import { startHadoop, type Hadoop } from '../../helpers/hadoop.js';
import { scratchFolder } from '../../helpers/processes.js';
import { thrownBy } from '../../helpers/thrown-by.js';
import { expectSameBytes, filePaths, listAll, readAll } from '../conformance/expectations.js';
import { bytesOf } from '../conformance/tree.js';
import { withHdfs } from './testbed.js';

const LONG_MS = 180_000;
const BYTES = bytesOf(31, 300_000);

let folder: string;
let authority: Authority;
let ada: Issued;
/** Of an authority that nobody knows. */
let eve: Issued;
let hadoop: Hadoop;

beforeAll(async () => {
  folder = scratchFolder('hdfs-tls');
  authority = makeAuthority(folder);
  ada = authority.issue('ada');
  eve = makeAuthority(folder, 'elsewhere').issue('eve');
  const tls = { ...authority.issue('server'), clientCaFile: authority.certFile };
  hadoop = await startHadoop({ nameService: 'models', tls, dataNodes: 2 });
  await hadoop.putFile('/churn/w.bin', BYTES, { block: 64 * 1024 });
}, LONG_MS);

afterAll(async () => {
  await hadoop.stop();
  rmSync(folder, { recursive: true });
}, LONG_MS);

/** As a user has it, with what the cluster says of certificates. */
const settingsOf = (
  hdfsSite: Readonly<Record<string, string>>,
  more: ConnectionSettings = {},
): ConnectionSettings => ({
  HADOOP_CONF_DIR: hadoop.userConf({ hdfsSite: { 'dfs.http.policy': 'HTTPS_ONLY', ...hdfsSite } }),
  SSL_CERT_FILE: authority.certFile,
  ...more,
});

const WANTED = { 'dfs.client.https.need-auth': 'true' };
const shown = (): ConnectionSettings => ({
  WAYBILL_CLIENT_CERT_FILE: ada.certFile,
  WAYBILL_CLIENT_KEY_FILE: ada.keyFile,
});

/** Whether a server lets somebody in who shows a certificate, or nothing. */
function letsIn(port: number, own: Partial<Issued>): Promise<boolean> {
  const read = (file?: string): Buffer | undefined =>
    file === undefined ? undefined : readFileSync(file);
  return new Promise((resolve) => {
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca: readFileSync(authority.certFile),
      cert: read(own.certFile),
      key: read(own.keyFile),
    });
    socket.once('secureConnect', () => socket.write('GET / HTTP/1.0\r\n\r\n'));
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}

describe('a cluster that asks everybody for a certificate', () => {
  const use = <T>(
    settings: ConnectionSettings,
    of: (store: Store) => Promise<T>,
    uri = 'hdfs://models/churn',
  ): Promise<T> => withHdfs(uri, of, { settings });

  it('does so at its name nodes and its data nodes', async () => {
    const ports = [...hadoop.nameNodes, ...hadoop.dataNodes].map(({ https }) => https);
    expect(ports).toHaveLength(4);
    for (const port of ports) {
      expect({ port, lets: await letsIn(port, ada) }).toEqual({ port, lets: true });
      expect({ port, lets: await letsIn(port, {}) }).toEqual({ port, lets: false });
    }
  });

  it.each(['dfs.client.https.need-auth', 'hadoop.ssl.require.client.cert'])(
    'is shown one everywhere where its configuration says so by %s, at whichever name node is active',
    (name) =>
      use(settingsOf({ [name]: 'true' }, shown()), async (store) => {
        for (const [standby, active] of [
          [0, 1],
          [1, 0],
        ] as const) {
          await hadoop.setStandby(standby);
          await hadoop.setActive(active);
          expectSameBytes(await readAll(store, 'w.bin'), BYTES);
          expect(filePaths(await listAll(store, '', true))).toEqual(['w.bin']);
          const { digests = {} } = await store.stat('w.bin', { wantsDigests: true });
          expect(Object.keys(digests)).toEqual(['md5crc']);
        }
      }),
    LONG_MS,
  );

  it('rule 4: is shown none at hosts that a name node names where nothing says that they want one', () =>
    use(settingsOf({}, shown()), async (store) => {
      expect((await store.stat('w.bin')).sizeBytes).toBe(BYTES.length);
      const error = await thrownBy(store.openRead('w.bin'));
      expect(error).toMatchObject({ code: 'WB_UNAUTHENTICATED', retryable: false });
      expect(error.message).toContain('dfs.client.https.need-auth');
    }));

  it.each([
    ['none', () => ({}), 'wants a client certificate: set WAYBILL_CLIENT_CERT_FILE'],
    [
      'one of another authority',
      () => ({ WAYBILL_CLIENT_CERT_FILE: eve.certFile, WAYBILL_CLIENT_KEY_FILE: eve.keyFile }),
      'does not accept the client certificate: check WAYBILL_CLIENT_CERT_FILE',
    ],
  ])('names what to set to whoever shows %s', (_, own, says) =>
    use(settingsOf(WANTED, own()), async (store) => {
      const error = await thrownBy(store.stat('w.bin'));
      expect(error).toMatchObject({ code: 'WB_UNAUTHENTICATED', retryable: false });
      expect(error.message).toContain(says);
    }),
  );

  it('says so to whoever does not know the authority', async () => {
    await use({ ...settingsOf(WANTED, shown()), SSL_CERT_FILE: ada.certFile }, async (store) => {
      const error = await thrownBy(store.stat('w.bin'));
      expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', retryable: false });
      expect(error.message).toContain('SSL_CERT_FILE');
    });
  });

  it('is read by its own address, without a configuration of name nodes', async () => {
    const https = hadoop.nameNodes[0]?.https ?? 0;
    const uri = `swebhdfs://localhost:${https}/churn`;
    await use(
      settingsOf(WANTED, shown()),
      async (store) => expectSameBytes(await readAll(store, 'w.bin'), BYTES),
      uri,
    );
  });
});
