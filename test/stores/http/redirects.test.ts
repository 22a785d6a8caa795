import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { splitSecrets } from '../../../src/model/artifact-uri.js';
import { WaybillError } from '../../../src/model/errors.js';
import { ensureApache, startApache } from '../../helpers/apache.js';
import { sendAll, startCutServer } from '../../helpers/cut-server.js';
import type { CutServer } from '../../helpers/cut-server.js';
import { startNginx } from '../../helpers/nginx.js';
import type { Nginx } from '../../helpers/nginx.js';
import { scratchFolder } from '../../helpers/processes.js';
import { openHttpStore } from './servers.js';

let source: CutServer;
let other: CutServer;

beforeAll(async () => {
  [source, other] = await Promise.all([startCutServer(), startCutServer()]);
});
afterAll(() => Promise.all([source.stop(), other.stop()]));

async function fetchText(
  uri: string,
  secrets: Record<string, string> = {},
  settings: Record<string, string> = {},
): Promise<string> {
  const split = splitSecrets(uri);
  const store = await openHttpStore(split.uri, { ...secrets, ...split.secrets }, settings);
  try {
    const { body } = await store.openRead('');
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  } catch (error) {
    if (error instanceof WaybillError) return `${error.code}: ${error.message}`;
    throw error;
  } finally {
    await store.close();
  }
}

const redirect = (location: string, status = 302) => ({ status, headers: { Location: location } });

describe('rule 4: a redirect', () => {
  beforeEach(() => other.serve('/file', sendAll('there')));

  it.each([301, 302, 303, 307, 308])(
    '%d to another host takes no credential along',
    async (status) => {
      source.serve('/file', redirect(`${other.url}/file`, status));
      const token = { WAYBILL_HTTP_TOKEN: 'tok-en-123' };
      expect(await fetchText(`${source.url}/file`, token)).toBe('there');
      expect(source.requestsOf('/file').at(-1)?.headers.authorization).toBe('Bearer tok-en-123');
      const arrived = other.requestsOf('/file').at(-1)?.headers ?? {};
      expect(JSON.stringify(arrived)).not.toContain('tok-en');
      expect(arrived.authorization).toBeUndefined();
      expect(arrived['accept-encoding']).toBe('identity');
    },
  );

  it('to another host takes neither a password nor a signed query along', async () => {
    source.serve('/file', redirect(`${other.url}/file`));
    const { host } = new URL(source.url);
    expect(await fetchText(`http://ada:s%20cret@${host}/file?sig=a%2Bb&x=1`)).toBe('there');
    const asked = source.requestsOf('/file').at(-1);
    const basic = Buffer.from('ada:s cret').toString('base64');
    expect(asked?.headers.authorization).toBe(`Basic ${basic}`);
    expect(asked?.query.toString()).toBe('sig=a%2Bb&x=1');
    const arrived = other.requestsOf('/file').at(-1);
    expect(arrived?.headers.authorization).toBeUndefined();
    expect(arrived?.query.toString()).toBe('');
  });

  it('back to the first host does not bring the credential back', async () => {
    source.serve('/file', redirect(`${other.url}/hop`));
    other.serve('/hop', redirect(`${source.url}/end`));
    source.serve('/end', sendAll('end'));
    expect(await fetchText(`${source.url}/file`, { WAYBILL_HTTP_TOKEN: 'tok-en-123' })).toBe('end');
    expect(source.requestsOf('/end').at(-1)?.headers.authorization).toBeUndefined();
  });

  it('within the host keeps the credential', async () => {
    source.serve('/file', redirect('/moved%20here?v=1'));
    source.serve('/moved%20here', sendAll('moved'));
    expect(await fetchText(`${source.url}/file`, { WAYBILL_HTTP_TOKEN: 'tok' })).toBe('moved');
    expect(source.requestsOf('/moved%20here').at(-1)?.headers.authorization).toBe('Bearer tok');
  });

  it('to a host that then wants a sign-in is explained', async () => {
    source.serve('/file', redirect(`${other.url}/private`));
    other.serve('/private', { status: 401 });
    const said = await fetchText(`${source.url}/file`, { WAYBILL_HTTP_TOKEN: 'tok' });
    expect(said).toMatch(/^WB_UNAUTHENTICATED: .*credentials do not follow to another host/);
  });

  it.each([
    ['http://169.254.169.254/latest/meta-data/', 'WB_PERMISSION_DENIED'],
    ['http://[fe80::1]/', 'WB_PERMISSION_DENIED'],
    ['http://2852039166/', 'WB_PERMISSION_DENIED'],
    ['file:///etc/passwd', 'WB_UNAVAILABLE'],
    ['ftp://127.0.0.1/x', 'WB_UNAVAILABLE'],
    ['http://[', 'WB_UNAVAILABLE'],
  ])('to %s is refused', async (location, code) => {
    source.serve('/file', redirect(location));
    expect(await fetchText(`${source.url}/file`)).toMatch(new RegExp(`^${code}: `));
  });

  it('in circles ends', async () => {
    source.serve('/file', redirect('/file'));
    const before = source.requestsOf('/file').length;
    expect(await fetchText(`${source.url}/file`)).toMatch(/^WB_UNAVAILABLE: .*more than 10 times/);
    expect(source.requestsOf('/file').length - before).toBe(11);
  });

  it('to a sign-in page is no file', async () => {
    source.serve('/file', redirect('/login?next=%2Ffile'));
    source.serve('/login', sendAll('<html>', { 'Content-Type': 'text/html' }));
    expect(await fetchText(`${source.url}/file`)).toMatch(/^WB_SIGN_IN_PAGE: /);
  });
});

describe('a token', () => {
  it('goes only to the hosts that it is meant for', async () => {
    source.serve('/file', sendAll('x'));
    const secrets = { WAYBILL_HTTP_TOKEN: 'tok' };
    const ask = async (hosts: string): Promise<string | undefined> => {
      await fetchText(`${source.url}/file`, secrets, { WAYBILL_HTTP_TOKEN_HOST: hosts });
      return source.requestsOf('/file').at(-1)?.headers.authorization;
    };
    expect(await ask('models.example')).toBeUndefined();
    expect(await ask('models.example, 127.0.0.1')).toBe('Bearer tok');
    expect(await ask(`127.0.0.1:${source.port}`)).toBe('Bearer tok');
  });

  it('that a server repeats in its error is not shown', async () => {
    source.serve('/file', { status: 403, body: 'the token tok-en-123 is not allowed' });
    const said = await fetchText(`${source.url}/file`, { WAYBILL_HTTP_TOKEN: 'tok-en-123' });
    expect(said).toContain('the token *** is not allowed');
  });
});

describe('a signed address', () => {
  const query = 'X-Amz-Signature=abcdef0123&X-Amz-Expires=300&partNumber=1';

  it('is described without HEAD, which its signature does not cover', async () => {
    source.serve('/signed', ({ query: sent }) =>
      sent.toString() === query ? sendAll('signed') : { status: 403 },
    );
    const before = source.requestsOf('/signed').length;
    const split = splitSecrets(`${source.url}/signed?${query}`);
    expect(split.uri).not.toContain('abcdef0123');
    const store = await openHttpStore(split.uri, { ...split.secrets });
    expect(await store.stat('')).toMatchObject({ kind: 'file', sizeBytes: 6 });
    expect(store.root).not.toContain('abcdef0123');
    await store.close();
    const methods = source.requestsOf('/signed').slice(before);
    expect(methods.map(({ method }) => method)).toEqual(['GET']);
  });

  it('that has expired asks for a new one, and is not shown', async () => {
    source.serve('/signed', { status: 403, body: '<Message>Request has expired</Message>' });
    const said = await fetchText(`${source.url}/signed?${query}`);
    expect(said).toMatch(/^WB_UNAUTHENTICATED: .*Request has expired.*ask for a new one/);
    expect(said).not.toContain('abcdef0123');
  });
});

describe('TLS', () => {
  let dir: string;
  let certFile: string;
  let nginx: Nginx;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'waybill-http-tls-'));
    certFile = join(dir, 'cert.pem');
    const keyFile = join(dir, 'key.pem');
    const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const out = ['-keyout', keyFile, '-out', certFile, '-days', '2'];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...out, ...subject], {
      stdio: 'ignore',
    });
    const root = scratchFolder('http-tls');
    writeFileSync(join(root, 'file.bin'), 'over TLS');
    const server = `location /down { return 302 ${other.url}/file; }`;
    nginx = await startNginx({ root, tls: { certFile, keyFile }, server });
  });
  afterAll(() => nginx.stop());

  it('with an unknown authority fails at once, and says how to name it', async () => {
    const said = await fetchText(`${nginx.url}/file.bin`);
    expect(said).toMatch(
      /^WB_UNAVAILABLE: .* has a certificate that is not trusted .*SSL_CERT_FILE/,
    );
  });

  it.each(['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'NODE_EXTRA_CA_CERTS'])(
    'trusts the authority of %s',
    async (name) => {
      expect(await fetchText(`${nginx.url}/file.bin`, {}, { [name]: certFile })).toBe('over TLS');
    },
  );

  it('rule 4: a redirect from https to http is refused', async () => {
    const said = await fetchText(`${nginx.url}/down`, {}, { SSL_CERT_FILE: certFile });
    expect(said).toMatch(/^WB_UNAVAILABLE: .*give up encryption/);
  });

  it('asked of a server without it is explained', async () => {
    const said = await fetchText(other.url.replace('http:', 'https:') + '/file');
    expect(said).toMatch(/^WB_UNAVAILABLE: /);
  });
});

describe('a proxy', () => {
  it('carries http as requests and https as a tunnel, unless NO_PROXY names the host', async () => {
    const { root: prefix } = await ensureApache(() => undefined);
    const modules = join(prefix, 'usr/lib/apache2/modules');
    const root = scratchFolder('http-proxy');
    const log = join(scratchFolder('http-proxy-log'), 'proxy.log');
    const load = ['proxy', 'proxy_http', 'proxy_connect']
      .map((name) => `LoadModule ${name}_module "${modules}/mod_${name}.so"`)
      .join('\n');
    const config = `${load}
ProxyRequests On
AllowCONNECT 1-65535
<Proxy "*">
  Require all granted
</Proxy>
CustomLog "${log}" "%r"`;
    const proxy = await startApache({ root, config });
    other.serve('/file', sendAll('through'));
    const settings = { HTTP_PROXY: proxy.url, https_proxy: proxy.url };
    try {
      expect(await fetchText(`${other.url}/file`, {}, settings)).toBe('through');
      const tls = other.url.replace('http:', 'https:');
      expect(await fetchText(`${tls}/file`, {}, settings)).toMatch(/^WB_UNAVAILABLE: /);
      const direct = { ...settings, NO_PROXY: '127.0.0.1' };
      expect(await fetchText(`${other.url}/file`, {}, direct)).toBe('through');
    } finally {
      await proxy.stop();
    }
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    expect(lines.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      `GET ${other.url}/file`,
      `CONNECT 127.0.0.1:${other.port}`,
    ]);
  });

  it('that is down is said to be unreachable', async () => {
    const said = await fetchText(`${other.url}/file`, {}, { HTTP_PROXY: 'http://127.0.0.1:1' });
    expect(said).toMatch(/^WB_UNAVAILABLE: .*refuses connections/);
  });
});
