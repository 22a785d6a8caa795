/** The tools that the comparison runs, each as its manual says for a download that should survive trouble. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MLFLOW_VERSION, ensureMlflowVenv } from '../../src/demo/mlflow-venv.js';
import { ensureAwscli } from '../helpers/awscli.js';
import { cacheFolder } from '../helpers/cache.js';
import { RCLONE_VERSION, ensureAria2, ensureRclone } from '../helpers/peers.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** What is asked of a tool: one file, `name` below `base`, into `folder`. */
export interface Wanted {
  /** HTTP: the server. S3: its endpoint. MLflow: the tracking server. */
  readonly base: string;
  /** The path at the server; of S3 with the bucket; of MLflow the run id and path. */
  readonly path: string;
  readonly folder: string;
}

/** A tool over one protocol. */
export interface Peer {
  readonly name: string;
  readonly protocol: 'http' | 's3' | 'mlflow';
  readonly command: (wanted: Wanted) => readonly string[];
  readonly env?: (wanted: Wanted) => Readonly<Record<string, string>>;
}

const waybill = (protocol: Peer['protocol'], uri: (wanted: Wanted) => string): Peer => ({
  name: 'waybill',
  protocol,
  command: (wanted) => [process.execPath, MAIN, 'pull', '-q', uri(wanted), `${wanted.folder}/`],
  env: ({ base }) => ({
    WAYBILL_GIVE_UP_AFTER: '20s',
    ...(protocol === 's3' ? { AWS_ENDPOINT_URL_S3: base } : {}),
    ...(protocol === 'mlflow' ? { MLFLOW_TRACKING_URI: base } : {}),
  }),
});

/** Every tool, got where it is not there. */
export async function findPeers(): Promise<readonly Peer[]> {
  const [aria2, rclone, aws, mlflow] = await Promise.all([
    ensureAria2(say),
    ensureRclone(say),
    ensureAwscli(say),
    ensureMlflowVenv({ cacheDir: cacheFolder(), onProgress: say }),
  ]);
  const rcloneS3 = (base: string): string =>
    `:s3,provider=Minio,env_auth=true,endpoint="${base}",region=us-east-1:`;
  return [
    waybill('http', ({ base, path }) => `${base}/${path}`),
    {
      name: 'curl -C -',
      protocol: 'http',
      command: ({ base, path, folder }) => [
        ...['curl', '-fsS', '--retry', '2', '-C', '-', '-o', join(folder, path)],
        `${base}/${path}`,
      ],
    },
    {
      name: 'wget -c',
      protocol: 'http',
      command: ({ base, path, folder }) => [
        ...['wget', '-q', '-c', '-t', '3', '-P', folder, `${base}/${path}`],
      ],
    },
    {
      name: 'aria2c -c -x4',
      protocol: 'http',
      command: ({ base, path, folder }) => [
        ...[aria2.path, '-q', '-c', '-x4', '-m3', '-d', folder, `${base}/${path}`],
      ],
      env: () => aria2.env,
    },
    {
      name: `rclone copy ${RCLONE_VERSION}`,
      protocol: 'http',
      command: ({ base, path, folder }) => [
        ...[rclone, 'copy', '--config', '/dev/null', '--http-url', base, `:http:${path}`, folder],
      ],
    },
    waybill('s3', ({ path }) => `s3://${path}`),
    {
      name: 'aws s3 cp',
      protocol: 's3',
      command: ({ base, path, folder }) => [
        ...[aws.python, '-m', 'awscli', 's3', 'cp', '--only-show-errors', '--endpoint-url', base],
        ...[`s3://${path}`, `${folder}/`],
      ],
    },
    {
      name: `rclone copy ${RCLONE_VERSION}`,
      protocol: 's3',
      command: ({ base, path, folder }) => [
        ...[rclone, 'copy', '--config', '/dev/null', `${rcloneS3(base)}${path}`, folder],
      ],
    },
    waybill('mlflow', ({ path }) => `runs:/${path}`),
    {
      name: `mlflow artifacts download ${MLFLOW_VERSION}`,
      protocol: 'mlflow',
      command: ({ path, folder }) => {
        const [run = '', ...rest] = path.split('/');
        return [
          ...[mlflow.python, '-m', 'mlflow', 'artifacts', 'download', '-r', run],
          ...['-a', rest.join('/'), '-d', folder],
        ];
      },
      env: ({ base }) => ({ MLFLOW_TRACKING_URI: base, MLFLOW_HTTP_REQUEST_MAX_RETRIES: '1' }),
    },
  ];
}
