/**
 * The world that the documentation speaks of, made of real servers: an MLflow with a registered model, an MLRun with a model, a MinIO and an Azurite
 * with a data set, a fake-gcs-server with a model, a web server, an SSH server, an FTP server and an HDFS with files; and a reader's machine on which `waybill`, `python` (with mlflow), `aws`-like
 * settings and a sign-in to each of them are there, and nothing else.
 */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureMlflowVenv } from '../../src/demo/mlflow-venv.js';
import { ensureTemporalCli } from '../../src/service/temporal-cli.js';
import { ensureAwscli } from '../helpers/awscli.js';
import { startAzurite, type Azurite } from '../helpers/azurite.js';
import { cacheFolder } from '../helpers/cache.js';
import { startHadoop } from '../helpers/hadoop.js';
import { startMinio, type Minio } from '../helpers/minio.js';
import { startMlflow, type Mlflow } from '../helpers/mlflow.js';
import { startMlrun, type Mlrun } from '../helpers/mlrun.js';
import { startNginx } from '../helpers/nginx.js';
import { startSshd } from '../helpers/sshd.js';
import { startVsftpd } from '../helpers/vsftpd.js';
import { startGoogle } from './google.js';
import { HOSTS, makeCertificate, nameHosts, showAsSrv, type Certificate } from './hosts.js';

/** What every page starts from. */
export interface World {
  /** The environment of a reader, HOME aside. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** A part of the web server that wants the token of the pages. */
const PRIVATE = `location /private/ {
  autoindex on;
  if ($http_authorization != "Bearer files-token") { return 401; }
}`;

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Starts everything below `dir`. */
export async function makeWorld(dir: string): Promise<World> {
  nameHosts(dir);
  const certificate = makeCertificate(dir);
  const minio = await startMinio();
  const mlflow = await startMlflow({ minio });
  const mlrun = await startMlrun();
  const azurite = await startAzurite({ account: 'mlstore' });
  const served = join(dir, 'served');
  writeTree(served);
  showAsSrv(served);
  const sshd = await startSshd({
    host: HOSTS['files.example'],
    port: 2222,
    names: ['[files.example]:2222'],
  });
  const google = await startGoogle(dir, join(served, 'models/churn'));
  const hadoop = await startHadoop();
  await Promise.all([
    hadoop.putTree('/models/churn', join(served, 'models/churn')),
    fillMinio(minio, served),
    fillAzurite(azurite, served),
    fillMlflow(mlflow, join(served, 'models/churn')),
    fillMlrun(mlrun),
  ]);
  const servers = [
    await front('files.example', certificate, served, '', PRIVATE),
    await front('mlflow.example', certificate, served, `proxy_pass ${mlflow.uri};`),
    await front('mlrun.example', certificate, served, `proxy_pass ${mlrun.uri};`),
    await front(
      'minio.example',
      certificate,
      served,
      `proxy_set_header Host $http_host; proxy_pass ${minio.endpoint};`,
    ),
    await front(
      'mlstore.blob.core.windows.net',
      certificate,
      served,
      `proxy_set_header Host $http_host; proxy_pass http://127.0.0.1:${azurite.port};`,
    ),
    await front(
      'storage.googleapis.com',
      certificate,
      served,
      `proxy_pass ${google.storage.endpoint};`,
    ),
    await front('oauth2.googleapis.com', certificate, served, `proxy_pass ${google.tokens.url};`),
    await startVsftpd({
      root: '/srv',
      at: { host: HOSTS['ftp.example'], port: 21 },
      config: `ssl_enable=YES
allow_anon_ssl=YES
force_local_logins_ssl=NO
force_local_data_ssl=NO
ssl_ciphers=HIGH
rsa_cert_file=${certificate.certFile}
rsa_private_key_file=${certificate.keyFile}`,
    }),
    sshd,
    hadoop,
    google,
    azurite,
    mlflow,
    mlrun,
    minio,
  ];
  return {
    env: {
      PATH: `${await makePath(join(dir, 'bin'))}:${process.env['PATH'] ?? ''}`,
      LANG: 'C.UTF-8',
      // A reader sits at a machine; where this one is a container, the command would say so.
      WAYBILL_SERVICE: 'background',
      SSL_CERT_FILE: certificate.caFile,
      MLFLOW_TRACKING_URI: 'https://mlflow.example',
      // What Python needs for the same authority.
      REQUESTS_CA_BUNDLE: certificate.caFile,
      ...minio.env,
      AWS_ENDPOINT_URL_S3: 'https://minio.example',
      LAKE_KEY: minio.accessKeyId,
      LAKE_SECRET: minio.secretAccessKey,
      MLSTORE_KEY: azurite.key,
      MLSTORE_SAS: azurite.sas({ permissions: 'rl' }),
      MODELS_KEY: google.keyFile,
      ...sshd.settings,
      CLUSTER_CONF: hadoop.confDir,
      NAMENODE_HTTP: `127.0.0.1:${hadoop.port}`,
      RUN_ID: await makeRun(mlflow),
    },
    stop: async () => {
      for (const server of servers) await server.stop();
    },
  };
}

function front(
  name: keyof typeof HOSTS,
  { certFile, keyFile }: Certificate,
  served: string,
  location: string,
  more = '',
): ReturnType<typeof startNginx> {
  const server = `client_max_body_size 0; ${more}`;
  const tls = { certFile, keyFile };
  return startNginx({ root: served, host: HOSTS[name], port: 443, tls, server, location });
}

/** The files that are served; small, and not all of one size. */
function writeTree(folder: string): void {
  const files: Record<string, string> = {
    'models/churn/MLmodel': 'flavors: {python_function: {loader_module: churn}}\n',
    'models/churn/model.pkl': 'p'.repeat(300_000),
    'models/churn/data/train.parquet': 'q'.repeat(70_000),
    'datasets/2024/part-0.parquet': 'r'.repeat(200_000),
    'datasets/2024/part-1.parquet': 's'.repeat(100_000),
    'datasets/2024/README.md': 'rows\n',
    'w.bin': 'waybill\n',
    'private/w.bin': 'private\n',
  };
  const sums = Object.entries(files).filter(([path]) => path.startsWith('models/churn/'));
  files['models/churn/SHA256SUMS'] = sums
    .map(([path, text]) => `${sha256(text)}  ${path.slice('models/churn/'.length)}\n`)
    .join('');
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** Lowercase hex. */
function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

async function fillMinio(minio: Minio, served: string): Promise<void> {
  for (const bucket of ['bucket', 'datasets', 'models', 'ml-lake'])
    await minio.createBucket(bucket);
  await minio.putTree('bucket', 'datasets', join(served, 'datasets'));
  await minio.putTree('datasets', '', join(served, 'datasets'));
  await minio.putTree('ml-lake', 'models', join(served, 'models'));
}

async function fillAzurite(azurite: Azurite, served: string): Promise<void> {
  await azurite.createContainer('datasets');
  await azurite.createContainer('public', { isPublic: true });
  await azurite.putTree('datasets', '', join(served, 'datasets'));
  await azurite.putTree('public', '', join(served, 'datasets'));
}

async function fillMlflow(mlflow: Mlflow, model: string): Promise<void> {
  const experiment = await mlflow.createExperiment('docs');
  const run = await mlflow.createRun(experiment, 'training');
  await mlflow.putTree(run.artifactUri, 'model', model);
  const version = await mlflow.registerModel('churn', `${run.artifactUri}/model`, run.runId);
  await mlflow.setAlias('churn', 'champion', version);
}

/** The run that a reader logs into; the pages call it $RUN_ID. */
/** A model in the bucket of the pages, and an artifact whose first version was overwritten. */
async function fillMlrun(mlrun: Mlrun): Promise<void> {
  const spec = { target_path: 's3://ml-lake/models/churn/', model_file: 'model.pkl' };
  await mlrun.putArtifact('churn', 'model', { kind: 'model', spec });
  const target_path = join(mlrun.root, 'notes.txt');
  writeFileSync(target_path, 'second');
  await mlrun.putArtifact('churn', 'notes', { spec: { target_path, size: 5 } }, { tag: 'v1' });
}

async function makeRun(mlflow: Mlflow): Promise<string> {
  const experiment = await mlflow.createExperiment('notebook');
  return (await mlflow.createRun(experiment, 'notebook')).runId;
}

/** The programs of a reader's machine. */
async function makePath(bin: string): Promise<string> {
  const venv = await ensureMlflowVenv({ cacheDir: cacheFolder(), onProgress: say });
  const explicitPath = process.env['WAYBILL_TEMPORAL_CLI'];
  const temporal = await ensureTemporalCli({
    cacheDir: cacheFolder(),
    explicitPath,
    onProgress: say,
  });
  const programs: Record<string, string> = {
    waybill: `exec "${process.execPath}" "${MAIN}" "$@"`,
    python: `exec "${venv.python}" "$@"`,
    aws: `exec "${(await ensureAwscli(say)).python}" -m awscli "$@"`,
    temporal: `exec "${temporal.path}" "$@"`,
    // The reader's own program in the examples of scripts.
    serve: 'test -e "$1" && echo "serving $1"',
  };
  mkdirSync(bin);
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
}
