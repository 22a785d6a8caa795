/**
 * A real Azurite. In a test:
 *
 *     const azurite = await startAzurite();
 *     await azurite.createContainer('models');
 *     await azurite.putTree('models', 'churn/1', folder);
 *     ... az://models/churn/1 with azurite.env as the environment ...
 *     await azurite.stop();
 */
import { createHmac } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { join } from 'node:path';
import { ensureAzurite } from './azurite-install.js';
import type { Issued } from './certificates.js';
import { freePort } from './ports.js';
import { scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

const KEY = Buffer.from(
  'the key of an account that only tests have, 64 bytes in all.....',
).toString('base64');
const PUTS_AT_ONCE = 16;

/** A blob to put. */
export interface PutOptions {
  /** Default BlockBlob. */
  readonly type?: 'BlockBlob' | 'AppendBlob' | 'PageBlob';
  readonly headers?: Readonly<Record<string, string>>;
  /** Without it the service computes one where the blob comes in one piece. */
  readonly contentMd5?: string;
}

export interface Azurite extends ServerProcess {
  readonly account: string;
  readonly key: string;
  readonly port: number;
  /** `http://127.0.0.1:PORT/ACCOUNT`. */
  readonly endpoint: string;
  readonly connectionString: string;
  /** What a client of this account has in its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** A shared access signature over the account; `hours` negative: it has ended. */
  sas(options?: { permissions?: string; types?: string; hours?: number }): string;
  createContainer(name: string, options?: { isPublic?: boolean }): Promise<void>;
  putBlob(
    container: string,
    name: string,
    body: Buffer | string,
    options?: PutOptions,
  ): Promise<void>;
  putTree(container: string, prefix: string, dir: string): Promise<void>;
  /** Any call: `PUT`, the path below the account (encoded), its query, headers, body. Throws unless it succeeds. */
  call(
    method: string,
    path: string,
    options?: { query?: string; headers?: Readonly<Record<string, string>>; body?: Buffer },
  ): Promise<void>;
}

export interface AzuriteOptions {
  /** Default `waybilltest`. */
  readonly account?: string;
  /** Speaks TLS. */
  readonly certificate?: Issued;
  /** Takes tokens of Microsoft Entra: it looks at their claims, not at who signed them. Needs TLS. */
  readonly takesTokens?: boolean;
}

/** Starts an Azurite that keeps its blobs in memory, on a free port. */
export async function startAzurite(options: AzuriteOptions = {}): Promise<Azurite> {
  const script = await ensureAzurite((line) => process.stderr.write(`${line}\n`));
  const dir = scratchFolder('azurite');
  const port = await freePort();
  const { account = 'waybilltest', certificate, takesTokens = false } = options;
  const scheme = certificate === undefined ? 'http' : 'https';
  const endpoint = `${scheme}://127.0.0.1:${port}/${account}`;
  const send = certificate === undefined ? requestPlain : requestSecure;
  const server = await startProcess({
    name: 'Azurite',
    command: process.execPath,
    args: [
      ...[script, '--blobHost', '127.0.0.1', '--blobPort', String(port)],
      ...['--inMemoryPersistence', '--disableTelemetry', '--silent'],
      ...(certificate ? ['--cert', certificate.certFile, '--key', certificate.keyFile] : []),
      ...(takesTokens ? ['--oauth', 'basic'] : []),
    ],
    dir,
    env: { AZURITE_ACCOUNTS: `${account}:${KEY}` },
    isReady: () =>
      new Promise<boolean>((resolve) => {
        const asked = send(endpoint, { rejectUnauthorized: false }, (answer) => {
          answer.resume();
          resolve(true);
        });
        asked.on('error', () => resolve(false)).end();
      }),
  });
  const sas: Azurite['sas'] = ({ permissions = 'rwdlac', types = 'sco', hours = 24 } = {}) =>
    accountSas(account, permissions, types, hours);
  const everything = sas();
  const call: Azurite['call'] = (method, path, { query = '', headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const url = `${endpoint}/${path}?${query === '' ? '' : `${query}&`}${everything}`;
      const length = { 'content-length': String(body?.length ?? 0) };
      const sent = { 'x-ms-version': '2021-12-02', ...length, ...headers };
      const asked = send(url, { method, headers: sent, rejectUnauthorized: false }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => {
          const status = answer.statusCode ?? 0;
          if (status < 300) resolve();
          else reject(new Error(`Azurite: ${method} ${path}: ${status} ${text}`));
        });
      });
      asked.on('error', reject).end(body);
    });
  const putBlob: Azurite['putBlob'] = (container, name, body, put) =>
    putOne(call, `${container}/${encoded(name)}`, Buffer.from(body), put);
  return {
    ...server,
    account,
    key: KEY,
    port,
    endpoint,
    connectionString: `DefaultEndpointsProtocol=${scheme};AccountName=${account};AccountKey=${KEY};BlobEndpoint=${endpoint};`,
    env: {
      AZURE_STORAGE_ACCOUNT: account,
      AZURE_STORAGE_KEY: KEY,
      AZURE_STORAGE_SERVICE_ENDPOINT: endpoint,
    },
    sas,
    call,
    putBlob,
    createContainer: (name, { isPublic = false } = {}) =>
      call('PUT', name, {
        query: 'restype=container',
        headers: isPublic ? { 'x-ms-blob-public-access': 'container' } : {},
      }),
    putTree: async (container, prefix, from) => {
      const files = await readdir(from, { recursive: true, withFileTypes: true });
      const next = files.filter((entry) => entry.isFile()).values();
      const lane = async (): Promise<void> => {
        for (const entry of next) {
          const path = join(entry.parentPath, entry.name);
          const name = [prefix, path.slice(from.length + 1)]
            .filter((part) => part !== '')
            .join('/');
          await putBlob(container, name, await readFile(path));
        }
      };
      await Promise.all(Array.from({ length: PUTS_AT_ONCE }, lane));
    },
  };
}

async function putOne(
  call: Azurite['call'],
  path: string,
  body: Buffer,
  { type = 'BlockBlob', headers = {}, contentMd5 }: PutOptions = {},
): Promise<void> {
  const md5 = contentMd5 === undefined ? {} : { 'x-ms-blob-content-md5': contentMd5 };
  const all = { 'x-ms-blob-type': type, ...md5, ...headers };
  if (type === 'BlockBlob') return call('PUT', path, { headers: all, body });
  if (type === 'AppendBlob') {
    await call('PUT', path, { headers: all });
    return call('PUT', path, { query: 'comp=appendblock', body });
  }
  // Whole pages of 512 bytes.
  const length = { 'x-ms-blob-content-length': String(body.length) };
  await call('PUT', path, { headers: { ...all, ...length } });
  const range = { 'x-ms-range': `bytes=0-${body.length - 1}`, 'x-ms-page-write': 'update' };
  return call('PUT', path, { query: 'comp=page', headers: range, body });
}

function encoded(name: string): string {
  return name.split('/').map(encodeURIComponent).join('/');
}

/** https://learn.microsoft.com/rest/api/storageservices/create-account-sas */
function accountSas(account: string, permissions: string, types: string, hours: number): string {
  const end = new Date(Date.now() + hours * 3_600_000).toISOString().replace(/\.\d+Z$/, 'Z');
  const version = '2019-12-12';
  const text = [account, permissions, 'b', types, '', end, '', '', version, ''].join('\n');
  const signature = createHmac('sha256', Buffer.from(KEY, 'base64')).update(text).digest('base64');
  const fields = { sv: version, ss: 'b', srt: types, sp: permissions, se: end, sig: signature };
  return new URLSearchParams(fields).toString();
}
