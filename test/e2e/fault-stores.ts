/** How the command line asks each store that speaks HTTP, and what a scripted service answers it: the dialects of `stores/failures`. */
import { randomBytes } from 'node:crypto';
import type { CutReply, CutRequest } from '../helpers/cut-server.js';
import { DIALECTS, FILE, type Dialect } from '../stores/failures/dialects.js';

/** Two parts and more; `large.bin` holds it, every other file `FILE`. */
export const LARGE = randomBytes(33 * 1024 * 1024);
export const LARGE_NAME = 'large.bin';
export const bytesOf = (name: string): Buffer => (name === LARGE_NAME ? LARGE : FILE);

/** A store at the command line. */
export interface FaultStore {
  readonly name: string;
  readonly dialect: Dialect;
  readonly source: string;
  readonly env: (url: string) => Readonly<Record<string, string>>;
  /** The bytes of a file are compared with a digest that the store says. */
  readonly knowsDigests?: true;
}

const COMMANDS: Readonly<Record<string, Omit<FaultStore, 'name' | 'dialect'>>> = {
  'azure-blob': {
    source: 'az://bucket/tree/',
    env: (url) => ({
      AZURE_STORAGE_ACCOUNT: 'waybilltest',
      AZURE_STORAGE_KEY: Buffer.alloc(64, 'key').toString('base64'),
      AZURE_STORAGE_SERVICE_ENDPOINT: `${url}/waybilltest`,
    }),
  },
  gcs: { source: 'gs://bucket/tree/', env: (url) => ({ STORAGE_EMULATOR_HOST: url }) },
  hdfs: {
    source: 'hdfs:///tree/',
    env: (url) => ({ WAYBILL_HDFS_URL: url, HADOOP_USER_NAME: 'ada' }),
    knowsDigests: true,
  },
  mlflow: {
    source: 'mlflow-artifacts:/tree',
    env: (url) => ({ MLFLOW_TRACKING_URI: url, WAYBILL_MLFLOW_TRANSPORT: 'proxied' }),
  },
  mlrun: {
    source: 'store://artifacts/p/tree',
    env: (url) => ({ MLRUN_DBPATH: url, WAYBILL_MLRUN_TRANSPORT: 'proxied' }),
  },
};

/** `http` and `s3` have a list of their own: `fault-cases.ts`. */
export const STORES: readonly FaultStore[] = DIALECTS.flatMap((dialect) => {
  const { name } = dialect;
  const command = COMMANDS[name];
  return command === undefined ? [] : [{ name, dialect, ...command }];
});

/** Undefined: nothing goes wrong with this read. `index` counts the reads of the file from 0. */
export type ReadFaultOf = (
  name: string,
  index: number,
  good: CutReply,
  request: CutRequest,
) => CutReply | undefined;

export interface Service {
  readonly script: (request: CutRequest) => CutReply;
  /** How often the bytes of a file were asked for. */
  readonly readsOf: (name: string) => number;
}

/** The last name in a question, which stands in its path or beside it. */
function nameOf({ path, query }: CutRequest): string {
  const asked = query.get('path') ?? decodeURIComponent(path);
  return asked.replace(/\/+$/u, '').replace(/^.*\//u, '');
}

const json = (value: unknown): CutReply => ({
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify(value),
});

const MISSING = { exception: 'FileNotFoundException', message: 'File does not exist' };
const NO_SUCH: CutReply = { ...json({ RemoteException: MISSING }), status: 404 };

/** The folder itself, which some services are asked about as they are about a file. */
function folderOf(store: string): CutReply {
  if (store !== 'hdfs') return NO_SUCH;
  const what = { pathSuffix: '', type: 'DIRECTORY', length: 0 };
  return json({ FileStatus: { ...what, modificationTime: 1_700_000_000_000 } });
}

/** Hadoop's own way: the name node sends whoever reads to a data node. */
function atDataNode({ path, query }: CutRequest): CutReply {
  const asked = new URLSearchParams(query);
  asked.set('datanode', '1');
  return { status: 307, headers: { Location: `${path}?${asked.toString()}` } };
}

/** A service that has these files in a folder `tree`. */
export function serviceOf(
  { name: store, dialect }: FaultStore,
  names: readonly string[],
  fault: ReadFaultOf,
): Service {
  const reads = new Map<string, number>();
  const isHdfs = store === 'hdfs';
  return {
    readsOf: (name) => reads.get(name) ?? 0,
    script: (request) => {
      const name = nameOf(request);
      if (dialect.isListing(request)) {
        // MLflow is asked what the folder above has.
        const isAbove = store === 'mlflow' && name !== 'tree';
        if (isAbove) return json({ files: [{ path: 'tree', is_dir: true }] });
        const isBelow = (request.query.get('prefix') ?? 'tree/') !== 'tree/';
        return dialect.page(isBelow ? [] : names, undefined, bytesOf);
      }
      const isRecord = store === 'mlrun' && !request.query.has('path');
      if (isRecord) return dialect.stat(request);
      if (name === 'tree') return folderOf(store);
      // A source is asked for lists of digests that it may have; whoever answers that with a file has a list that is none.
      if (!names.includes(name)) return NO_SUCH;
      if (dialect.isStat(request)) return dialect.stat(request, bytesOf(name));
      if (isHdfs && !request.query.has('datanode')) return atDataNode(request);
      const index = reads.get(name) ?? 0;
      reads.set(name, index + 1);
      const good = dialect.file(request, '1', bytesOf(name));
      return fault(name, index, good, request) ?? good;
    },
  };
}
