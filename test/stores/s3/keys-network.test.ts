/**
 * Where temporary keys come from in a company's network: the services that give them are names of AWS, reached through a proxy
 * that wants a password, and speak with certificates of the company's own authority. The role is assumed at a real MinIO.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import {
  createServer as createPlainServer,
  request as requestOf,
  type RequestListener,
  type Server,
} from 'node:http';
import { createServer } from 'node:https';
import { connect, type AddressInfo, type Server as NetServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import { s3 } from '../../../src/stores/s3/index.js';
import type { ConnectionSettings } from '../../../src/stores/store.js';
import { makeAuthority, type Authority } from '../../helpers/certificates.js';
import { startMinio, type Minio } from '../../helpers/minio.js';
import { freePort } from '../../helpers/ports.js';
import { scratchFolder } from '../../helpers/processes.js';
import { readAll } from '../conformance/expectations.js';
import { temporaryKeys } from './assume-role.js';

const PASSWORD = 'pw-of-the-proxy';
const NAMES = ['sts.eu-west-1.amazonaws.com', 'portal.sso.us-west-2.amazonaws.com', 'keys.example'];

let dir: string;
let authority: Authority;
let minio: Minio;
/** Real temporary keys of it. */
let temporary: Record<string, string>;
/** Stands where the names lead. */
let services: NetServer;
let proxy: Server;
/** What was asked: `CONNECT host:port` of the proxy, `POST host action` of the services. */
const asked: string[] = [];

beforeAll(async () => {
  dir = scratchFolder('keys');
  authority = makeAuthority(dir);
  minio = await startMinio();
  await minio.createBucket('models');
  await minio.putObject('models', 'a/file.txt', 'the bytes');
  temporary = await temporaryKeys(minio, [
    { Action: ['s3:*'], Resource: ['arn:aws:s3:::models', 'arn:aws:s3:::models/*'] },
  ]);
  const { certFile, keyFile } = authority.issue('services', {
    names: NAMES.map((name) => `DNS:${name}`).join(','),
  });
  services = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, answer);
  proxy = createPlainServer();
  proxy.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url ?? ''}`);
    const login = Buffer.from(`ada:${PASSWORD}`).toString('base64');
    if (request.headers['proxy-authorization'] !== `Basic ${login}`) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const onward = connect((services.address() as AddressInfo).port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [socket, onward]) end.on('error', () => socket.destroy());
  });
  for (const server of [services, proxy]) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  }
}, 300_000);

afterEach(() => void asked.splice(0));

afterAll(async () => {
  await minio.stop();
  for (const server of [services, proxy]) server.close();
  rmSync(dir, { recursive: true, force: true });
});

const inAnHour = (): Date => new Date(Date.now() + 3_600_000);

/** The services: AssumeRole is MinIO's to answer, the rest gives out keys that MinIO has given. */
const answer: RequestListener = (request, response) => {
  const { host = '', authorization = '' } = request.headers;
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    const action = new URLSearchParams(body.toString()).get('Action') ?? request.url ?? '';
    asked.push(`${request.method ?? ''} ${host} ${action}`);
    const accessKeyId = temporary['AWS_ACCESS_KEY_ID'] ?? '';
    const secretAccessKey = temporary['AWS_SECRET_ACCESS_KEY'] ?? '';
    const sessionToken = temporary['AWS_SESSION_TOKEN'] ?? '';
    const { port } = minio;
    if (action === 'AssumeRole') {
      const { method, url: path, headers } = request;
      const onward = requestOf({ port, host: '127.0.0.1', method, path, headers }, (from) => {
        response.writeHead(from.statusCode ?? 0, from.headers);
        from.pipe(response);
      });
      onward.end(body);
    } else if (action === 'AssumeRoleWithWebIdentity') {
      response.end(
        '<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>' +
          `<AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${secretAccessKey}</SecretAccessKey><SessionToken>${sessionToken}</SessionToken>` +
          `<Expiration>${inAnHour().toISOString()}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
      );
    } else if (host === 'keys.example' && authorization !== 'its token') {
      response.writeHead(401).end();
    } else {
      const keys =
        host === 'keys.example'
          ? {
              AccessKeyId: accessKeyId,
              SecretAccessKey: secretAccessKey,
              Token: sessionToken,
              Expiration: inAnHour(),
            }
          : {
              roleCredentials: {
                accessKeyId,
                secretAccessKey,
                sessionToken: sessionToken,
                expiration: inAnHour().getTime(),
              },
            };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(keys));
    }
  });
};

const proxyUrl = (login = ''): string =>
  `http://${login}127.0.0.1:${(proxy.address() as AddressInfo).port}`;

/** The bytes of the file, or the error. */
async function read(
  settings: ConnectionSettings,
  secrets: Readonly<Record<string, string>> = {},
  login = `ada:${PASSWORD}@`,
): Promise<string> {
  const store = await s3.open({
    uri: 's3://models/a',
    settings: {
      AWS_ENDPOINT_URL: minio.endpoint,
      HTTPS_PROXY: proxyUrl(),
      AWS_CA_BUNDLE: authority.certFile,
      ...settings,
    },
    secrets: { ...secrets, HTTPS_PROXY: proxyUrl(login) },
  });
  try {
    return (await readAll(store, 'file.txt')).toString();
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    expect(`${error.message} ${error.stack ?? ''}`).not.toContain(PASSWORD);
    return `${error.code} ${error.retryable ? 'retryable' : 'final'}: ${error.message}`;
  } finally {
    await store.close();
  }
}

function profile(name: string, ...lines: string[]): ConnectionSettings {
  const file = join(dir, name);
  const { accessKeyId, secretAccessKey } = minio;
  const keys = [`aws_access_key_id = ${accessKeyId}`, `aws_secret_access_key = ${secretAccessKey}`];
  const own = [`[profile ${name}]`, ...lines, '[profile base]', ...keys];
  writeFileSync(file, own.join('\n'));
  return { AWS_CONFIG_FILE: file, AWS_PROFILE: name, AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
}

const roleArn = 'arn:aws:iam::123456789012:role/any';

/** MinIO signs for the region that it has; its STS takes that of AWS's name. */
const role = (): ConnectionSettings =>
  profile('role', `role_arn = ${roleArn}`, 'source_profile = base', 'region = eu-west-1');

function webIdentity(): ConnectionSettings {
  writeFileSync(join(dir, 'jwt'), 'a token of the cluster');
  return {
    AWS_ROLE_ARN: roleArn,
    AWS_WEB_IDENTITY_TOKEN_FILE: join(dir, 'jwt'),
    AWS_REGION: 'eu-west-1',
  };
}

describe('temporary keys come through the proxy, from services that the authority of AWS_CA_BUNDLE vouches for', () => {
  it('of a role, by STS', async () => {
    expect(await read({ ...role(), AWS_REGION: 'eu-west-1' })).toBe('the bytes');
    expect(asked).toEqual([
      'CONNECT sts.eu-west-1.amazonaws.com:443',
      'POST sts.eu-west-1.amazonaws.com AssumeRole',
    ]);
  });

  it('of a role by the token of a cluster', async () => {
    expect(await read(webIdentity())).toBe('the bytes');
    expect(asked).toEqual([
      'CONNECT sts.eu-west-1.amazonaws.com:443',
      'POST sts.eu-west-1.amazonaws.com AssumeRoleWithWebIdentity',
    ]);
  });

  it('of a single sign-on, in the region of that, which is not the bucket’s', async () => {
    const startUrl = 'https://company.awsapps.com/start';
    const cache = join(dir, 'home', '.aws', 'sso', 'cache');
    mkdirSync(cache, { recursive: true });
    const name = createHash('sha1').update(startUrl).digest('hex');
    const token = { accessToken: 'a token', expiresAt: inAnHour().toISOString() };
    writeFileSync(join(cache, `${name}.json`), JSON.stringify(token));
    const home = process.env['HOME'];
    process.env['HOME'] = join(dir, 'home');
    try {
      const settings = profile(
        'sso',
        `sso_start_url = ${startUrl}`,
        'sso_region = us-west-2',
        'sso_account_id = 123456789012',
        'sso_role_name = any',
      );
      expect(await read({ ...settings, AWS_REGION: 'us-east-1' })).toBe('the bytes');
    } finally {
      if (home === undefined) delete process.env['HOME'];
      else process.env['HOME'] = home;
    }
    expect(asked).toEqual([
      'CONNECT portal.sso.us-west-2.amazonaws.com:443',
      expect.stringMatching(
        /^GET portal\.sso\.us-west-2\.amazonaws\.com \/federation\/credentials/,
      ),
    ]);
  });

  it('of a container’s platform that has a name', async () => {
    const settings = { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'https://keys.example/pod' };
    const secrets = { AWS_CONTAINER_AUTHORIZATION_TOKEN: 'its token' };
    expect(await read(settings, secrets)).toBe('the bytes');
    expect(asked).toEqual(['CONNECT keys.example:443', 'GET keys.example /pod']);
    expect(await read(settings)).toMatch(/^WB_UNAUTHENTICATED retryable: no credentials for /);
  });

  it('also where the connection lists the origins that it may reach: the bucket’s', async () => {
    const settings = { ...webIdentity(), WAYBILL_ORIGINS: minio.endpoint };
    expect(await read(settings)).toBe('the bytes');
  });
});

describe('what the network says on the way to keys is told as it is, not as wrong keys', () => {
  it('a proxy that wants another password', async () => {
    expect(await read(webIdentity(), {}, 'ada:wrong@')).toMatch(
      /^WB_CONFIG_INVALID final: .*sts\.eu-west-1.* the proxy http:\S+ \(HTTPS_PROXY\) does not accept the user and password/,
    );
  });

  it('a proxy that is down', async () => {
    const gone = `http://127.0.0.1:${await freePort()}`;
    const settings = { ...webIdentity(), https_proxy: gone };
    expect(await read(settings)).toMatch(
      /^WB_UNAVAILABLE retryable: .*the proxy http:\S+ \(https_proxy\) refuses connections/,
    );
  });

  it('an authority that nobody has named', async () => {
    expect(await read({ ...role(), AWS_REGION: 'eu-west-1', AWS_CA_BUNDLE: '' })).toMatch(
      /^WB_UNAVAILABLE final: .*certificate that is not trusted .*: set AWS_CA_BUNDLE/,
    );
  });
});
