/** How each store that speaks HTTP is answered: one file, and a listing of two pages, as its service would have them. */
import { createHash } from 'node:crypto';
import { azureBlob } from '../../../src/stores/azure-blob/index.js';
import { gcs } from '../../../src/stores/gcs/index.js';
import { hdfs } from '../../../src/stores/hdfs/index.js';
import { http } from '../../../src/stores/http/index.js';
import { mlflowFactory } from '../../../src/stores/mlflow/index.js';
// Jest loses a module that two imports at once ask for first.
import '../../../src/stores/mlflow/location.js';
import '../../../src/stores/mlflow/parts.js';
import '../../../src/stores/mlflow/store.js';
import '../../../src/stores/hdfs/config.js';
import '../../../src/stores/hdfs/kerberos.js';
import '../../../src/stores/hdfs/store.js';
import { formatLocation } from '../../../src/stores/mlrun/location.js';
import { membersOf } from '../../../src/stores/mlrun/members.js';
import { readRecord } from '../../../src/stores/mlrun/record.js';
import { sealOf } from '../../../src/stores/mlrun/resolve.js';
import { StoreRegistry } from '../../../src/stores/registry.js';
import { s3 } from '../../../src/stores/s3/index.js';
import type { Store } from '../../../src/stores/store.js';
import { serveFile } from '../../helpers/cut-server.js';
import type { CutReply, CutRequest } from '../../helpers/cut-server.js';
import { checksumOf } from '../../helpers/checksums.js';
import { bytesOf as seedBytes } from '../conformance/tree.js';
import type { Outcome } from './reading.js';

export const FILE = seedBytes(5, 60_001);
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
  /** @param bytes what the file holds, `FILE` where it is not said; so too below */
  file(request: CutRequest, version?: string, bytes?: Buffer): CutReply;
  stat(request: CutRequest, bytes?: Buffer): CutReply;
  /** Some names, and the token of the page that follows. */
  page(names: readonly string[], next?: string, bytesOf?: (name: string) => Buffer): CutReply;
  /** The token in a question; absent: the first page is asked for. */
  readonly tokenOf: (request: CutRequest) => string | undefined;
  /** What says which version it is, and a header with a digest. */
  readonly versionHeader: string;
  readonly digestHeader?: readonly [name: string, value: string, digest: string];
  /** It asks about the file beside each read (`isStat`): what is said of the version stands there, in `none` of them nothing. */
  readonly beside?: (request: CutRequest, version: '1' | '2' | 'none', bytes?: Buffer) => CutReply;
  /** How reads end that end otherwise here, by the titles of the faults. */
  readonly ends?: Readonly<Record<string, readonly Outcome[]>>;
  /** The last name of a page is the token of the next one. */
  readonly goesOnByName?: true;
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
const ofFile = (): Buffer => FILE;
/** What follows what, in a listing of two pages. */
export const FIRST_PAGE = LISTED.slice(0, 2);
export const LAST_PAGE = LISTED.slice(2);

const httpDialect: Dialect = {
  name: 'http',
  open: (url) => http.open({ uri: `${url}/tree/`, settings: SETTINGS, secrets: {} }),
  isListing: ({ path }) => path === '/tree/',
  isStat: ({ method }) => method === 'HEAD',
  file: (request, version = '1', bytes = FILE) =>
    serveFile(bytes, { etag: etagOf(version) })(request),
  stat: (request, bytes = FILE) => serveFile(bytes, { etag: etagOf('1') })(request),
  page: (names, _next, bytesOf = ofFile) => ({
    headers: { 'Content-Type': 'text/html' },
    body:
      '<html><head><title>Index of /tree/</title></head><body><h1>Index of /tree/</h1><pre><a href="../">../</a>\n' +
      names
        .map((n) => `<a href="${n}">${n}</a>  01-Jan-2026 00:00  ${bytesOf(n).length}\n`)
        .join('') +
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
  file: (request, version = '1', bytes = FILE) =>
    withHeaders(serveFile(bytes, { etag: etagOf(version) })(request), S3_HEADERS),
  stat: (request, bytes = FILE) =>
    withHeaders(serveFile(bytes, { etag: etagOf('1') })(request), S3_HEADERS),
  page: (names, next, bytesOf = ofFile) => ({
    headers: { ...S3_HEADERS, 'Content-Type': 'application/xml' },
    body:
      '<?xml version="1.0"?><ListBucketResult>' +
      names
        .map(
          (name) =>
            `<Contents><Key>tree/${name}</Key><Size>${bytesOf(name).length}</Size><ETag>${etagOf('1')}</ETag></Contents>`,
        )
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
  file: (request, version = '1', bytes = FILE) =>
    withHeaders(serveFile(bytes, { etag: etagOf(version) })(request), AZURE_HEADERS),
  stat: (request, bytes = FILE) =>
    withHeaders(serveFile(bytes, { etag: etagOf('1') })(request), AZURE_HEADERS),
  page: (names, next, bytesOf = ofFile) => ({
    headers: { ...AZURE_HEADERS, 'Content-Type': 'application/xml' },
    body:
      '<?xml version="1.0"?><EnumerationResults><Blobs>' +
      names
        .map(
          (name) =>
            `<Blob><Name>tree/${name}</Name><Properties><Content-Length>${bytesOf(name).length}</Content-Length><Etag>${etagOf('1')}</Etag></Properties></Blob>`,
        )
        .join('') +
      `</Blobs><NextMarker>${next ?? ''}</NextMarker></EnumerationResults>`,
  }),
  tokenOf: ({ query }) => query.get('marker') ?? undefined,
  versionHeader: 'ETag',
  digestHeader: ['x-ms-blob-content-md5', MD5.toString('base64'), 'md5'],
};

const gcsFile = (request: CutRequest, version = '1', bytes = FILE): CutReply =>
  withHeaders(serveFile(bytes)(request), { 'x-goog-generation': `17000${version}` });
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
  stat: (_request, bytes = FILE) =>
    json({ name: `tree/${NAME}`, size: String(bytes.length), generation: '170001' }),
  page: (names, next, bytesOf = ofFile) =>
    json({
      kind: 'storage#objects',
      items: names.map((name) => ({
        name: `tree/${name}`,
        size: String(bytesOf(name).length),
        generation: '170001',
      })),
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
  file: (request, version = '1', bytes = FILE) =>
    withHeaders(
      serveFile(bytes, { etag: etagOf(version) })({ ...request, headers: noIfMatch(request) }),
      {
        'Content-Disposition': `attachment; filename=${NAME}`,
      },
    ),
  stat: () => ({ status: 404 }),
  page: (names, next, bytesOf = ofFile) =>
    json({
      files: names.map((path) => ({ path, is_dir: false, file_size: bytesOf(path).length })),
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

/** A part by its place, where no header asks for it. */
function partBy({ query }: CutRequest, length: string, bytes: Buffer): Buffer {
  const offset = Number(query.get('offset') ?? 0);
  return bytes.subarray(offset, offset + Number(query.get(length) ?? bytes.length));
}

/** Whatever they mean elsewhere, nothing here has them. */
const WITHOUT_CONTENT_RANGE: Readonly<Record<string, readonly Outcome[]>> = {
  'a part that starts elsewhere': ['right'],
  'a part that ends elsewhere': ['right'],
  'a part without Content-Range': ['right'],
  'a part that says nonsense of itself': ['right'],
};

const hdfsStatus = (version: '1' | '2' | 'none', bytes: Buffer, pathSuffix = ''): object => ({
  pathSuffix,
  type: 'FILE',
  length: bytes.length,
  modificationTime: version === '2' ? 1_700_000_000_002 : 1_700_000_000_001,
  permission: '644',
  ...(version === 'none' ? {} : { fileId: 16_387 }),
});
const crcs = new WeakMap<Buffer, string>();
function crcOf(bytes: Buffer): string {
  const crc = crcs.get(bytes) ?? checksumOf('crc32c', bytes);
  crcs.set(bytes, crc);
  return crc;
}
const hdfsBeside = (
  { query }: CutRequest,
  version: '1' | '2' | 'none',
  bytes: Buffer = FILE,
): CutReply =>
  query.get('op') === 'GETFILESTATUS'
    ? json({ FileStatus: hdfsStatus(version, bytes) })
    : json({ FileChecksum: { algorithm: 'COMPOSITE-CRC32C', bytes: crcOf(bytes), length: 4 } });
/** As HttpFS and gateways answer, at one address. */
const hdfsDialect: Dialect = {
  name: 'hdfs',
  open: (url) =>
    hdfs.open({
      uri: 'hdfs:///tree/',
      settings: { ...SETTINGS, WAYBILL_HDFS_URL: url, HADOOP_USER_NAME: 'ada' },
      secrets: {},
    }),
  isListing: ({ query }) => query.get('op')?.startsWith('LISTSTATUS') === true,
  isStat: ({ query }) => query.get('op')?.startsWith('GETFILE') === true,
  file: (request, _version, bytes = FILE) => ({ body: partBy(request, 'length', bytes) }),
  stat: (request, bytes) => hdfsBeside(request, '1', bytes),
  beside: hdfsBeside,
  page: (names, next, bytesOf = ofFile) =>
    json({
      DirectoryListing: {
        partialListing: {
          FileStatuses: {
            FileStatus: names.map((name) => hdfsStatus('1', bytesOf(name), name)),
          },
        },
        remainingEntries: next === undefined ? 0 : 1,
      },
    }),
  tokenOf: ({ query }) => query.get('startAfter') ?? undefined,
  goesOnByName: true,
  versionHeader: 'none',
  ends: {
    ...WITHOUT_CONTENT_RANGE,
    // A file that somebody appends to is longer than its name node says.
    'a larger Content-Length than the body': ['WB_SOURCE_CHANGED'],
    'a part of another length': ['WB_SOURCE_CHANGED'],
    '200 and the whole file to a part': ['WB_SOURCE_CHANGED'],
    'compressed bytes that nobody asked for': ['WB_SOURCE_CHANGED', 'WB_SIZE_MISMATCH'],
    '206 to the whole file': ['WB_CONFIG_INVALID'],
    '204': ['WB_CONFIG_INVALID'],
    'a page of someone else with 200': ['WB_SIZE_MISMATCH'],
  },
};

const RECORD = {
  kind: 'dir',
  metadata: { key: 'tree', project: 'p', iter: 0, tree: 't1' },
  spec: { target_path: 's3://bucket/tree/', db_key: 'tree' },
};
const mlrunBeside = (
  { path }: CutRequest,
  version: '1' | '2' | 'none',
  bytes: Buffer = FILE,
): CutReply => {
  if (!path.endsWith('/filestat')) return json(RECORD);
  const modified = version === '2' ? 1_700_000_002 : 1_700_000_001;
  return json({ size: bytes.length, ...(version === 'none' ? {} : { modified }) });
};
/** The files of a record, passed on by the API server. */
const mlrunDialect: Dialect = {
  name: 'mlrun',
  open: (url) => {
    const reference = { kind: 'artifact', prefix: 'artifacts', project: 'p', key: 'tree' } as const;
    const record = readRecord(RECORD, 'the record');
    const seal = sealOf(membersOf({ reference, record, api: 'v2' }));
    const uri = formatLocation({ reference, seal, proxied: ['s3'] }, url);
    const settings = { ...SETTINGS, MLRUN_DBPATH: url };
    return new StoreRegistry().open({ uri, settings, secrets: {} });
  },
  isListing: ({ path, query }) => path.endsWith('/files') && query.get('path')?.at(-1) === '/',
  isStat: ({ path }) => !path.endsWith('/files'),
  file: (request, _version, bytes = FILE) => ({ body: partBy(request, 'size', bytes) }),
  stat: (request, bytes) => mlrunBeside(request, '1', bytes),
  beside: mlrunBeside,
  page: (names) => json({ listdir: names }),
  tokenOf: () => undefined,
  versionHeader: 'none',
  hasOnePage: true,
  ends: {
    ...WITHOUT_CONTENT_RANGE,
    '200 and the whole file to a part': ['WB_SIZE_MISMATCH'],
    '206 to the whole file': ['WB_UNAVAILABLE'],
    '412': ['WB_UNAVAILABLE'],
    '416': ['WB_UNAVAILABLE'],
    'a page of someone else with 200': ['WB_SIZE_MISMATCH'],
  },
};

export const DIALECTS: readonly Dialect[] = [
  httpDialect,
  s3Dialect,
  azureDialect,
  gcsDialect,
  mlflowDialect,
  hdfsDialect,
  mlrunDialect,
];
