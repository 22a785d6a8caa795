/** How each store that speaks HTTP is answered: one file, and a listing of two pages, as its service would have them. */
import { createHash } from 'node:crypto';
import { azureBlob } from '../../../src/stores/azure-blob/index.js';
import { gcs } from '../../../src/stores/gcs/index.js';
import { http } from '../../../src/stores/http/index.js';
import { mlflowFactory } from '../../../src/stores/mlflow/index.js';
// Jest loses a module that two imports at once ask for first.
import '../../../src/stores/mlflow/location.js';
import '../../../src/stores/mlflow/parts.js';
import '../../../src/stores/mlflow/store.js';
import { s3 } from '../../../src/stores/s3/index.js';
import type { Store } from '../../../src/stores/store.js';
import { serveFile } from '../../helpers/cut-server.js';
import type { CutReply, CutRequest } from '../../helpers/cut-server.js';
import { bytesOf } from '../conformance/tree.js';

export const FILE = bytesOf(5, 60_001);
export const NAME = 'model.bin';
/** What a whole listing has. */
export const LISTED = ['a.bin', 'b.bin', 'c.bin'];

export interface Dialect {
  readonly name: string;
  /** At `http://127.0.0.1:PORT`. */
  open(url: string): Promise<Store>;
  readonly isListing: (request: CutRequest) => boolean;
  /** A question about the file that moves no bytes. */
  readonly isStat: (request: CutRequest) => boolean;
  file(request: CutRequest, version?: string): CutReply;
  stat(request: CutRequest): CutReply;
  /** Some names, and the token of the page that follows. */
  page(names: readonly string[], next?: string): CutReply;
  /** The token in a question; absent: the first page is asked for. */
  readonly tokenOf: (request: CutRequest) => string | undefined;
  /** What says which version it is, and a header with a digest. */
  readonly versionHeader: string;
  readonly digestHeader?: readonly [name: string, value: string, digest: string];
  /** A listing is one page, whatever comes. */
  readonly hasOnePage?: true;
  /** Any object of JSON is a page of its listing: what is empty is left out of it. */
  readonly takesAnyObject?: true;
}

const SETTINGS = { WAYBILL_STALL_TIMEOUT: '1s', NO_PROXY: '*' };
const etagOf = (version: string): string =>
  `"${createHash('md5').update(version).digest('hex')}-2"`;
const WRONG = createHash('sha256').update('another').digest();
const MD5 = WRONG.subarray(0, 16);

const withHeaders = (reply: CutReply, headers: Record<string, string>): CutReply => ({
  ...reply,
  headers: { ...reply.headers, ...headers },
});
const json = (value: unknown): CutReply => ({
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(value),
});
/** What follows what, in a listing of two pages. */
export const FIRST_PAGE = LISTED.slice(0, 2);
export const LAST_PAGE = LISTED.slice(2);

const httpDialect: Dialect = {
  name: 'http',
  open: (url) => http.open({ uri: `${url}/tree/`, settings: SETTINGS, secrets: {} }),
  isListing: ({ path }) => path === '/tree/',
  isStat: ({ method }) => method === 'HEAD',
  file: (request, version = '1') => serveFile(FILE, { etag: etagOf(version) })(request),
  stat: (request) => serveFile(FILE, { etag: etagOf('1') })(request),
  page: (names) => ({
    headers: { 'Content-Type': 'text/html' },
    body:
      '<html><head><title>Index of /tree/</title></head><body><h1>Index of /tree/</h1><pre><a href="../">../</a>\n' +
      names.map((name) => `<a href="${name}">${name}</a>  01-Jan-2026 00:00  3\n`).join('') +
      '</pre></body></html>',
  }),
  tokenOf: () => undefined,
  versionHeader: 'ETag',
  digestHeader: ['Repr-Digest', `sha-256=:${WRONG.toString('base64')}:`, 'sha256'],
  hasOnePage: true,
};

const S3_HEADERS = { 'x-amz-request-id': 'R1' };
const s3Dialect: Dialect = {
  name: 's3',
  open: (url) =>
    s3.open({
      uri: 's3://bucket/tree/',
      settings: { ...SETTINGS, AWS_ENDPOINT_URL: url, AWS_REGION: 'us-east-1' },
      secrets: { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' },
    }),
  isListing: ({ query }) => query.has('list-type'),
  isStat: ({ method }) => method === 'HEAD',
  file: (request, version = '1') =>
    withHeaders(serveFile(FILE, { etag: etagOf(version) })(request), S3_HEADERS),
  stat: (request) => withHeaders(serveFile(FILE, { etag: etagOf('1') })(request), S3_HEADERS),
  page: (names, next) => ({
    headers: { ...S3_HEADERS, 'Content-Type': 'application/xml' },
    body:
      '<?xml version="1.0"?><ListBucketResult>' +
      names
        .map((name) => `<Contents><Key>tree/${name}</Key><Size>3</Size><ETag>"e"</ETag></Contents>`)
        .join('') +
      (next === undefined
        ? '<IsTruncated>false</IsTruncated>'
        : `<IsTruncated>true</IsTruncated><NextContinuationToken>${next}</NextContinuationToken>`) +
      '</ListBucketResult>',
  }),
  tokenOf: ({ query }) => query.get('continuation-token') ?? undefined,
  versionHeader: 'ETag',
  digestHeader: ['x-amz-checksum-sha256', WRONG.toString('base64'), 'sha256'],
};

const AZURE_HEADERS = { 'x-ms-request-id': 'R1', 'x-ms-version': '2021-12-02' };
const azureDialect: Dialect = {
  name: 'azure-blob',
  open: (url) =>
    azureBlob.open({
      uri: 'az://bucket/tree/',
      settings: {
        ...SETTINGS,
        AZURE_STORAGE_ACCOUNT: 'waybilltest',
        AZURE_STORAGE_SERVICE_ENDPOINT: `${url}/waybilltest`,
      },
      secrets: { AZURE_STORAGE_KEY: Buffer.alloc(64, 'key').toString('base64') },
    }),
  isListing: ({ query }) => query.get('comp') === 'list',
  isStat: ({ method }) => method === 'HEAD',
  file: (request, version = '1') =>
    withHeaders(serveFile(FILE, { etag: etagOf(version) })(request), AZURE_HEADERS),
  stat: (request) => withHeaders(serveFile(FILE, { etag: etagOf('1') })(request), AZURE_HEADERS),
  page: (names, next) => ({
    headers: { ...AZURE_HEADERS, 'Content-Type': 'application/xml' },
    body:
      '<?xml version="1.0"?><EnumerationResults><Blobs>' +
      names
        .map(
          (name) =>
            `<Blob><Name>tree/${name}</Name><Properties><Content-Length>3</Content-Length><Etag>0x1</Etag></Properties></Blob>`,
        )
        .join('') +
      `</Blobs><NextMarker>${next ?? ''}</NextMarker></EnumerationResults>`,
  }),
  tokenOf: ({ query }) => query.get('marker') ?? undefined,
  versionHeader: 'ETag',
  digestHeader: ['x-ms-blob-content-md5', MD5.toString('base64'), 'md5'],
};

const gcsFile = (request: CutRequest, version = '1'): CutReply =>
  withHeaders(serveFile(FILE)(request), { 'x-goog-generation': `17000${version}` });
const gcsDialect: Dialect = {
  name: 'gcs',
  open: (url) =>
    gcs.open({
      uri: 'gs://bucket/tree/',
      settings: { ...SETTINGS, STORAGE_EMULATOR_HOST: url },
      secrets: {},
    }),
  isListing: ({ path }) => path === '/storage/v1/b/bucket/o',
  isStat: ({ path }) => path.startsWith('/storage/v1/b/bucket/o/'),
  file: gcsFile,
  stat: () => json({ name: `tree/${NAME}`, size: String(FILE.length), generation: '170001' }),
  page: (names, next) =>
    json({
      kind: 'storage#objects',
      items: names.map((name) => ({ name: `tree/${name}`, size: '3', generation: '1' })),
      ...(next === undefined ? {} : { nextPageToken: next }),
    }),
  tokenOf: ({ query }) => query.get('pageToken') ?? undefined,
  versionHeader: 'x-goog-generation',
  digestHeader: ['x-goog-hash', `md5=${MD5.toString('base64')}`, 'md5'],
};

const API = '/api/2.0/mlflow-artifacts/artifacts';
const mlflowDialect: Dialect = {
  name: 'mlflow',
  open: (url) =>
    mlflowFactory.open({
      uri: `mlflow-artifacts://${new URL(url).host}/tree?via=proxied`,
      settings: { ...SETTINGS, MLFLOW_TRACKING_URI: url },
      secrets: {},
    }),
  isListing: ({ path }) => path === API,
  isStat: () => false,
  file: (request, version = '1') =>
    withHeaders(
      serveFile(FILE, { etag: etagOf(version) })({ ...request, headers: noIfMatch(request) }),
      {
        'Content-Disposition': `attachment; filename=${NAME}`,
      },
    ),
  stat: () => ({ status: 404 }),
  page: (names, next) =>
    json({
      files: names.map((path) => ({ path, is_dir: false, file_size: 3 })),
      ...(next === undefined ? {} : { next_page_token: next }),
    }),
  tokenOf: ({ query }) => query.get('page_token') ?? undefined,
  versionHeader: 'ETag',
  takesAnyObject: true,
};

function noIfMatch({ headers }: CutRequest): CutRequest['headers'] {
  const { 'if-match': _, ...others } = headers;
  return others;
}

export const DIALECTS: readonly Dialect[] = [
  httpDialect,
  s3Dialect,
  azureDialect,
  gcsDialect,
  mlflowDialect,
];
