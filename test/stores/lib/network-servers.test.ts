/** Proxies and certificates on real servers: nginx with TLS that asks for client certificates, and tinyproxy. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import { http } from '../../../src/stores/http/index.js';
import type { ConnectionSettings, ConnectionSecrets } from '../../../src/stores/store.js';
import { makeAuthority, type Authority, type Issued } from '../../helpers/certificates.js';
import { startMicrosocks, type Microsocks } from '../../helpers/microsocks.js';
import { startNginx, type Nginx } from '../../helpers/nginx.js';
import { freePort } from '../../helpers/ports.js';
import { scratchFolder } from '../../helpers/processes.js';
import { startTinyproxy, type Tinyproxy } from '../../helpers/tinyproxy.js';

let dir: string;
let authority: Authority;
let client: Issued;
let stranger: Issued;
let locked: Issued;
let plain: Nginx;
let tls: Nginx;
let expired: Nginx;
let elsewhere: Nginx;
let strict: Nginx;
let open: Tinyproxy;
let closed: Tinyproxy;
let socks: Microsocks;

beforeAll(async () => {
  dir = scratchFolder('network');
  const root = join(dir, 'root');
  mkdirSync(root);
  writeFileSync(join(root, 'a'), 'bytes');
  authority = makeAuthority(dir);
  client = authority.issue('ada');
  locked = authority.issue('locked', { password: 'sesame' });
  stranger = makeAuthority(dir, 'stranger').issue('eve');
  const server = authority.issue('server');
  const withTls = (of: Issued, clientCaFile?: string): Promise<Nginx> =>
    startNginx({ root, tls: { ...of, ...(clientCaFile === undefined ? {} : { clientCaFile }) } });
  [plain, tls, expired, elsewhere, strict, open, closed, socks] = await Promise.all([
    startNginx({ root }),
    withTls(server),
    withTls(authority.issue('expired', { isExpired: true })),
    withTls(authority.issue('elsewhere', { names: 'DNS:models.example' })),
    withTls(server, authority.certFile),
    startTinyproxy(),
    startTinyproxy({ user: 'ada', password: 'engine' }),
    startMicrosocks(),
  ]);
}, 300_000);

afterAll(async () => {
  const servers = [plain, tls, expired, elsewhere, strict, open, closed, socks];
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(dir, { recursive: true, force: true });
});

/** The bytes of a file, or the error as text. */
async function read(
  url: string,
  settings: ConnectionSettings = {},
  secrets: ConnectionSecrets = {},
): Promise<string> {
  const store = await http.open({ uri: url, settings, secrets });
  try {
    const { body } = await store.openRead('');
    return Buffer.concat(await body.toArray()).toString();
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    const { code, message, retryable } = error;
    return `${code} ${retryable ? 'retryable' : 'final'}: ${message}`;
  } finally {
    await store.close();
  }
}

const trusted = (): ConnectionSettings => ({ SSL_CERT_FILE: authority.certFile });

describe('a forward proxy', () => {
  it('gets http as absolute addresses and https through CONNECT', async () => {
    const settings = { HTTP_PROXY: open.url, https_proxy: open.url, ...trusted() };
    expect(await read(`${plain.url}/a`, settings)).toBe('bytes');
    expect(await read(`${tls.url}/a`, settings)).toBe('bytes');
    expect(open.requests()).toEqual([`GET ${plain.url}/a`, `CONNECT 127.0.0.1:${tls.port}`]);
  });

  it('gets the password that stands in its address', async () => {
    const address = { http_proxy: closed.url, HTTPS_PROXY: closed.url, ...trusted() };
    const secrets = { http_proxy: closed.urlWithPassword, HTTPS_PROXY: closed.urlWithPassword };
    expect(await read(`${plain.url}/a`, address, secrets)).toBe('bytes');
    expect(await read(`${tls.url}/a`, address, secrets)).toBe('bytes');
    expect(closed.requests()).toHaveLength(2);
  });

  it.each([
    ['http', () => plain],
    ['https', () => tls],
  ])(
    'that wants a password, or another one, says so by the variable, over %s',
    async (_, server) => {
      const url = `${server().url}/a`;
      const settings = { ALL_PROXY: closed.url, ...trusted() };
      expect(await read(url, settings)).toBe(
        `WB_CONFIG_INVALID final: ${url}: the proxy ${closed.url} (ALL_PROXY) wants a password (HTTP 407): ` +
          'set ALL_PROXY=http://user:password@host:port',
      );
      const wrong = { ALL_PROXY: closed.url.replace('//', '//ada:wrong@') };
      const said = await read(url, settings, wrong);
      // tinyproxy answers 401 to a wrong password, which over http could be the source's own.
      expect(said).toMatch(
        url.startsWith('https:')
          ? /^WB_CONFIG_INVALID final: .* \(ALL_PROXY\) does not accept the user and password/
          : /^WB_UNAUTHENTICATED .* wants a sign-in \(HTTP 401\).*through the proxy .*ALL_PROXY\), which may/,
      );
      expect(said).not.toContain('wrong');
    },
  );

  it.each([
    ['http', () => plain],
    ['https', () => tls],
  ])('that is down is named, not the source, over %s', async (_, server) => {
    const url = `${server().url}/a`;
    const proxy = `http://127.0.0.1:${await freePort()}`;
    expect(await read(url, { all_proxy: proxy, ...trusted() })).toBe(
      `WB_UNAVAILABLE retryable: ${url}: the proxy ${proxy} (all_proxy) refuses connections (is the service ` +
        'running, and the port right?); correct or unset all_proxy, or add the host to NO_PROXY',
    );
  });

  it('that cannot or may not connect says which of the two', async () => {
    const url = `https://127.0.0.1:${await freePort()}/a`;
    expect(await read(url, { HTTPS_PROXY: open.url })).toMatch(
      /^WB_UNAVAILABLE retryable: .*: the proxy http:\S+ \(HTTPS_PROXY\) cannot connect to it \(HTTP 50\d\)$/,
    );
    const strictProxy = await startTinyproxy({ refuses: '^127[.]' });
    expect(await read(`${tls.url}/a`, { HTTPS_PROXY: strictProxy.url })).toMatch(
      /^WB_UNAVAILABLE final: .* refuses to connect to it \(HTTP 403\)/,
    );
    await strictProxy.stop();
  });

  it.each(['127.0.0.1', '127.0.0.0/8', '*', 'example.com, 127.0.0.1'])(
    'is left out where NO_PROXY is %s',
    async (rules) => {
      const settings = { HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: rules };
      expect(await read(`${plain.url}/a`, settings)).toBe('bytes');
    },
  );

  it('that speaks SOCKS serves both, and nothing is said about it', async () => {
    const settings = { ALL_PROXY: socks.url, ...trusted() };
    expect(await read(`${plain.url}/a`, settings)).toBe('bytes');
    expect(
      await read(`${tls.url}/a`, { ...settings, ALL_PROXY: socks.url.replace('5', '5h') }),
    ).toBe('bytes');
    expect(socks.connections()).toBe(2);
  });

  it('that accepts and never answers is given up by the time-outs of the connection', async () => {
    const silent: Server = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const proxy = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const settings = { ALL_PROXY: proxy, WAYBILL_STALL_TIMEOUT: '300ms', ...trusted() };
    for (const server of [plain, tls]) {
      const said = await read(`${server.url}/a`, settings);
      expect(said).toMatch(
        /^WB_TIMEOUT retryable: .* \(ALL_PROXY\) accepted the request and did not/,
      );
    }
    silent.close();
  });
});

describe('the certificate of a server', () => {
  it('of an unknown authority says which variable to set', async () => {
    const url = `${tls.url}/a`;
    expect(await read(url)).toMatch(
      /^WB_UNAVAILABLE final: https:.* has a certificate that is not trusted \(\w+\): set SSL_CERT_FILE to the PEM file/,
    );
    expect(await read(url, { REQUESTS_CA_BUNDLE: stranger.certFile })).toMatch(
      /REQUESTS_CA_BUNDLE is \S+, which does not hold the authority that signed it: add it there$/,
    );
  });

  it.each([
    'WAYBILL_CA_FILE',
    'SSL_CERT_FILE',
    'SSL_CERT_DIR',
    'REQUESTS_CA_BUNDLE',
    'CURL_CA_BUNDLE',
    'NODE_EXTRA_CA_CERTS',
  ])('is trusted through %s', async (name) => {
    const place = name === 'SSL_CERT_DIR' ? dir : authority.certFile;
    expect(await read(`${tls.url}/a`, { [name]: place })).toBe('bytes');
  });

  it('that has expired or is for another name is not mended by another authority', async () => {
    expect(await read(`${expired.url}/a`, trusted())).toMatch(
      /^WB_UNAVAILABLE final: https:.* has a certificate that has expired: ask its owner to renew it/,
    );
    expect(await read(`${elsewhere.url}/a`, trusted())).toMatch(
      /^WB_UNAVAILABLE final: https:.* has a certificate for other names \(DNS:models.example\): use an address/,
    );
    expect(await read(`${tls.url.replace('127.0.0.1', 'localhost')}/a`, trusted())).toBe('bytes');
  });

  it('says the same behind a proxy', async () => {
    const settings = { HTTPS_PROXY: open.url, ...trusted() };
    expect(await read(`${tls.url}/a`, { HTTPS_PROXY: open.url })).toMatch(/is not trusted/);
    expect(await read(`${expired.url}/a`, settings)).toMatch(/has expired/);
    expect(await read(`${elsewhere.url}/a`, settings)).toMatch(/for other names/);
  });
});

describe('a client certificate', () => {
  const identity = (issued: Issued): ConnectionSettings => ({
    ...trusted(),
    WAYBILL_CLIENT_CERT_FILE: issued.certFile,
    WAYBILL_CLIENT_KEY_FILE: issued.keyFile,
  });

  it('opens the door, directly and through a proxy, its key beside it or in its file', async () => {
    const url = `${strict.url}/a`;
    expect(await read(url, identity(client))).toBe('bytes');
    expect(await read(url, { ...identity(client), HTTPS_PROXY: open.url })).toBe('bytes');
    const inOne = { ...trusted(), WAYBILL_CLIENT_CERT_FILE: client.bundleFile };
    expect(await read(url, inOne)).toBe('bytes');
  });

  it('that is missing or strange is a sign-in that fails', async () => {
    expect(await read(`${strict.url}/a`, trusted())).toMatch(
      /^WB_UNAUTHENTICATED final: .* wants a client certificate: set WAYBILL_CLIENT_CERT_FILE/,
    );
    expect(await read(`${strict.url}/a`, identity(stranger))).toMatch(
      /^WB_UNAUTHENTICATED final: .* does not accept the client certificate/,
    );
  });

  it('has a key that may be encrypted', async () => {
    const url = `${strict.url}/a`;
    const secrets = { WAYBILL_CLIENT_KEY_PASSWORD: 'sesame' };
    expect(await read(url, identity(locked), secrets)).toBe('bytes');
    await expect(read(url, identity(locked))).rejects.toThrow(
      'the key in WAYBILL_CLIENT_KEY_FILE is encrypted: set WAYBILL_CLIENT_KEY_PASSWORD to its password',
    );
    await expect(
      read(url, { ...identity(client), WAYBILL_CLIENT_KEY_FILE: stranger.keyFile }),
    ).rejects.toThrow(/do not hold a certificate and its own key/);
    await expect(
      read(url, { ...trusted(), WAYBILL_CLIENT_CERT_FILE: client.certFile }),
    ).rejects.toThrow(
      /holds no private key: name the file of the key with WAYBILL_CLIENT_KEY_FILE/,
    );
  });

  it('rule 4: does not follow a redirect to another origin', async () => {
    const redirecting = await startNginx({
      root: join(dir, 'root'),
      server: `location /to { return 302 ${strict.url}/a; }`,
    });
    expect(await read(`${redirecting.url}/to`, identity(client))).toMatch(
      /^WB_UNAUTHENTICATED final: .* wants a client certificate/,
    );
    await redirecting.stop();
  });
});
