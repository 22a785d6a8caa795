/** Proxies that are themselves reached over TLS, and addresses of IPv6: on real servers. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import { http } from '../../../src/stores/http/index.js';
import { s3 } from '../../../src/stores/s3/index.js';
import type { ConnectionSecrets, ConnectionSettings } from '../../../src/stores/store.js';
import { makeAuthority, type Authority, type Issued } from '../../helpers/certificates.js';
import { startMinio, type Minio } from '../../helpers/minio.js';
import { startNginx, type Nginx } from '../../helpers/nginx.js';
import { freePort } from '../../helpers/ports.js';
import { scratchFolder } from '../../helpers/processes.js';
import { startTinyproxy, type Tinyproxy } from '../../helpers/tinyproxy.js';
import { readAll } from '../conformance/expectations.js';
import { keysOf } from '../s3/testbed.js';

const PASSWORD = 'engine-of-the-proxy';

let dir: string;
let authority: Authority;
let ada: Issued;
let plain: Nginx;
let tls: Nginx;
let strict: Nginx;
let six: Nginx;
let sixTls: Nginx;
let sixS3: Nginx;
let minio: Minio;
let proxy: Tinyproxy;
let door: Server;
/** Whether those who came through the door showed a certificate. */
const shown: boolean[] = [];

beforeAll(async () => {
  dir = scratchFolder('secure-proxy');
  const root = join(dir, 'root');
  mkdirSync(root);
  writeFileSync(join(root, 'a'), 'bytes');
  authority = makeAuthority(dir);
  ada = authority.issue('ada');
  const server = authority.issue('server', { names: 'IP:127.0.0.1,IP:::1,DNS:localhost' });
  [minio, proxy] = await Promise.all([
    startMinio(),
    startTinyproxy({ user: 'ada', password: PASSWORD }),
  ]);
  const toMinio = `proxy_pass http://127.0.0.1:${minio.port}; proxy_set_header Host $http_host;`;
  [plain, tls, strict, six, sixTls, sixS3] = await Promise.all([
    startNginx({ root }),
    startNginx({ root, tls: server }),
    startNginx({ root, tls: { ...server, clientCaFile: authority.certFile } }),
    startNginx({ root, host: '[::1]' }),
    startNginx({ root, host: '[::1]', tls: server }),
    startNginx({ root, host: '[::1]', autoindex: false, location: toMinio }),
  ]);
  await minio.createBucket('models');
  await minio.putObject('models', 'a', 'bytes');
  door = await openDoor(server, Number(new URL(proxy.url).port));
}, 300_000);

afterEach(() => void shown.splice(0));

afterAll(async () => {
  const servers = [plain, tls, strict, six, sixTls, sixS3, minio, proxy];
  await Promise.all(servers.map((server) => server.stop()));
  door.close();
  rmSync(dir, { recursive: true, force: true });
});

/** TLS in front of the proxy; it asks for a certificate and takes none for an answer. */
async function openDoor({ certFile, keyFile }: Issued, port: number): Promise<Server> {
  const files = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  const settings = { ...files, requestCert: true, rejectUnauthorized: false };
  const opened = createServer(settings, (socket: TLSSocket) => {
    shown.push(Object.keys(socket.getPeerCertificate()).length > 0);
    const onward = connect(port, '127.0.0.1');
    socket.pipe(onward).pipe(socket);
    for (const end of [socket, onward]) end.on('error', () => socket.destroy());
  });
  opened.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => opened.listen(0, '127.0.0.1', resolve));
  return opened;
}

const doorUrl = (login = ''): string =>
  `https://${login}127.0.0.1:${(door.address() as AddressInfo).port}`;

const SECRETS = (): ConnectionSecrets => ({ ALL_PROXY: doorUrl(`ada:${PASSWORD}@`) });

/** The bytes of a file, or the error as text. */
async function read(
  url: string,
  settings: ConnectionSettings = {},
  secrets: ConnectionSecrets = {},
): Promise<string> {
  const store = await (url.startsWith('s3:') ? s3 : http).open({ uri: url, settings, secrets });
  try {
    return (await readAll(store, '')).toString();
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    expect(`${error.message} ${error.stack ?? ''}`).not.toContain(PASSWORD);
    return `${error.code}: ${error.message}`;
  } finally {
    await store.close();
  }
}

describe('a proxy that is reached over TLS', () => {
  const settings = (): ConnectionSettings => ({
    ALL_PROXY: doorUrl(),
    SSL_CERT_FILE: authority.certFile,
  });

  it('gets its password, and serves http and https', async () => {
    expect(await read(`${plain.url}/a`, settings(), SECRETS())).toBe('bytes');
    expect(await read(`${tls.url}/a`, settings(), SECRETS())).toBe('bytes');
    expect(proxy.requests().slice(-2)).toEqual([
      `GET ${plain.url}/a`,
      `CONNECT 127.0.0.1:${tls.port}`,
    ]);
  });

  it('that nobody vouches for is not trusted with the request', async () => {
    const before = proxy.requests().length;
    for (const url of [`${plain.url}/a`, `${tls.url}/a`]) {
      expect(await read(url, { ALL_PROXY: doorUrl() }, SECRETS())).toMatch(
        /^WB_UNAVAILABLE: .*certificate that is not trusted/,
      );
    }
    expect(proxy.requests()).toHaveLength(before);
  });

  it('that wants another password says so, without the one that it got', async () => {
    const wrong = { ALL_PROXY: doorUrl('ada:wrong@') };
    expect(await read(`${plain.url}/a`, settings(), wrong)).toMatch(/\(ALL_PROXY\)/);
    expect(await read(`${tls.url}/a`, settings(), wrong)).toMatch(
      /^WB_CONFIG_INVALID: .* the proxy https:\/\/127\S+ \(ALL_PROXY\) does not accept the user and password/,
    );
  });

  it('rule 4: is not shown the client certificate that is meant for the source', async () => {
    const identity = {
      WAYBILL_CLIENT_CERT_FILE: ada.certFile,
      WAYBILL_CLIENT_KEY_FILE: ada.keyFile,
    };
    const with_ = { ...settings(), ...identity };
    expect(await read(`${strict.url}/a`, with_, SECRETS())).toBe('bytes');
    expect(shown).toEqual([false]);
  });
});

describe('an address of IPv6', () => {
  it('is a source over http and https, and the endpoint of S3', async () => {
    const settings = { SSL_CERT_FILE: authority.certFile };
    expect(await read(`${six.url}/a`)).toBe('bytes');
    expect(await read(`${sixTls.url}/a`, settings)).toBe('bytes');
    for (const style of ['auto', 'virtual']) {
      const place = { AWS_ENDPOINT_URL: sixS3.url, addressing_style: style };
      expect(await read('s3://models/a', place, keysOf(minio))).toBe('bytes');
    }
  });

  it('that nobody listens at is named as it was written', async () => {
    const url = `http://[::1]:${await freePort()}/a`;
    expect(await read(url)).toMatch(/^WB_UNAVAILABLE: http:\/\/\[::1\]:\d+\/a/);
  });

  it.each(['::1', '[::1]', '::1/128', '0:0:0:0:0:0:0:1'])(
    'is reached without a proxy where NO_PROXY is %s',
    async (rule) => {
      const down = { ALL_PROXY: 'http://127.0.0.1:1', NO_PROXY: rule };
      expect(await read(`${six.url}/a`, down)).toBe('bytes');
      expect(await read(`${plain.url}/a`, down)).toMatch(/the proxy http:.* refuses connections/);
    },
  );

  it('may be the proxy', async () => {
    const socket = `http://[::1]:${six.port}`;
    const before = six.accessLog().length;
    // nginx is no proxy, but takes a whole address for a path of its own.
    expect(await read(`${plain.url}/a`, { HTTP_PROXY: socket })).toBe('bytes');
    expect(six.accessLog().length).toBeGreaterThan(before);
  });
});
