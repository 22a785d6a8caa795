/** The tools to race, as contenders. One that cannot be had is a contender with a reason, and the rest runs. */
import { join } from 'node:path';
import { MLFLOW_VERSION, ensureMlflowVenv } from '../../src/demo/mlflow-venv.js';
import { ensureAwscli } from '../../test/helpers/awscli.js';
import { cacheFolder } from '../../test/helpers/cache.js';
import { ensureHadoop } from '../../test/helpers/hadoop-install.js';
import { MLRUN_VERSION, ensureMlrun } from '../../test/helpers/mlrun.js';
import {
  RCLONE_VERSION,
  ensureAria2,
  ensureAz,
  ensureCurl,
  ensureGsutil,
  ensureLftp,
  ensureRclone,
  ensureSftp,
} from '../../test/helpers/peers.js';
import { scrubbedEnv } from '../../test/helpers/processes.js';
import type { Contender, Target } from './case.js';

type Env = Readonly<Record<string, string>>;

/** How a peer is asked; `env` is added to a clean environment. */
export interface PeerRun extends Pick<Contender, 'brings' | 'before' | 'after'> {
  /** Added to the peer's name in the table. */
  readonly suffix?: string;
  readonly env?: Env;
  readonly args: (target: Target) => readonly string[];
}

export interface Peers {
  rclone(run: PeerRun): Promise<Contender>;
  aria2(run: PeerRun): Promise<Contender>;
  curl(run: PeerRun): Promise<Contender>;
  aws(run: PeerRun): Promise<Contender>;
  az(run: PeerRun): Promise<Contender>;
  mlflow(run: PeerRun): Promise<Contender>;
  lftp(run: PeerRun): Promise<Contender>;
  /** OpenSSH's client. */
  sftp(run: PeerRun): Promise<Contender>;
  gsutil(run: PeerRun): Promise<Contender>;
  /** `hdfs dfs`, with the configuration of a user in `confDir`. */
  hdfs(run: PeerRun & { readonly confDir: string }): Promise<Contender>;
  /** A program of Python that has `mlrun`; it is the first of `args`. */
  mlrun(run: PeerRun): Promise<Contender>;
}

/** What the script `hdfs dfs` starts. */
const HDFS_SHELL = 'org.apache.hadoop.fs.FsShell';

interface Program {
  readonly argv: readonly string[];
  readonly env?: Env;
}

/** Nothing is installed before it is asked for. */
export function openPeers(say: (line: string) => void): Peers {
  const peer =
    (name: string, ensure: () => Promise<Program>) =>
    async ({ suffix, env, args, ...rest }: PeerRun): Promise<Contender> => {
      const shared = {
        name: suffix === undefined ? name : `${name} ${suffix}`,
        isUnverified: true,
        ...rest,
      };
      try {
        const program = await ensure();
        return {
          ...shared,
          command: (target) => ({
            argv: [...program.argv, ...args(target)],
            env: scrubbedEnv({ ...program.env, ...env }),
          }),
        };
      } catch (error) {
        const missing = (error instanceof Error ? error.message : String(error)).split('\n')[0];
        return { ...shared, missing: missing ?? '', command: () => ({ argv: [], env: {} }) };
      }
    };
  return {
    rclone: peer(`rclone ${RCLONE_VERSION}`, async () => ({
      argv: [await ensureRclone(say), '--config', '/dev/null'],
    })),
    aria2: peer('aria2c', async () => {
      const { path, env } = await ensureAria2(say);
      return { argv: [path], env };
    }),
    curl: peer('curl', async () => {
      const { path, env } = await ensureCurl(say);
      return { argv: [path], env };
    }),
    aws: peer('aws s3 cp', async () => ({
      argv: [(await ensureAwscli(say)).python, '-m', 'awscli', 's3', 'cp'],
    })),
    az: peer('az', async () => ({ argv: [await ensureAz(say), '-m', 'azure.cli'] })),
    mlflow: peer(`mlflow artifacts download ${MLFLOW_VERSION}`, async () => {
      const { python } = await ensureMlflowVenv({ cacheDir: cacheFolder(), onProgress: say });
      return { argv: [python, '-m', 'mlflow', 'artifacts', 'download'] };
    }),
    lftp: peer('lftp', async () => {
      const { path, env } = await ensureLftp(say);
      return { argv: [path], env };
    }),
    sftp: peer('sftp', async () => {
      const { path, root, env } = await ensureSftp(say);
      return { argv: [path, '-S', join(root, 'usr/bin/ssh')], env };
    }),
    gsutil: peer('gsutil', async () => ({ argv: [await ensureGsutil(say)] })),
    hdfs: ({ confDir, ...run }) =>
      peer('hdfs dfs', async () => ({
        argv: ['java', '-cp', `${confDir}:${await ensureHadoop(say)}`, HDFS_SHELL],
      }))(run),
    mlrun: peer(`mlrun ${MLRUN_VERSION}`, async () => ({
      argv: [(await ensureMlrun(say)).python, '-W', 'ignore', '-c'],
      env: { MLRUN_IGNORE_ENV_FILE: 'true' },
    })),
  };
}

/** rclone's name for what lies at an S3 endpoint; the keys come from the environment. */
export function rcloneS3(endpoint: string, path: string): string {
  return `:s3,provider=Minio,env_auth=true,endpoint="${endpoint}",region=us-east-1:${path}`;
}

export interface HttpPeersOptions extends Pick<PeerRun, 'brings' | 'before' | 'after'> {
  /** Asked to go on with what is there, and to try a few times more. */
  readonly resumes?: boolean;
}

/** One file of a web server, for the tools that take URLs: `waybill` is not among them. */
export async function httpPeers(
  peers: Peers,
  url: string,
  { resumes = false, ...rest }: HttpPeersOptions = {},
): Promise<readonly Contender[]> {
  const name = url.slice(url.lastIndexOf('/') + 1);
  const again = resumes ? ['-C', '-', '--retry', '20', '--retry-all-errors'] : [];
  return Promise.all([
    peers.curl({
      ...(resumes ? { suffix: '-C -' } : {}),
      args: ({ folder }) => ['-fsS', ...again, '--retry-delay', '1', '-o', join(folder, name), url],
      ...rest,
    }),
    peers.aria2({
      suffix: '-x4',
      args: ({ folder }) => ['-q', '-c', '-x4', '-s4', '--file-allocation=none', '-d', folder, url],
      ...rest,
    }),
    peers.rclone({
      suffix: 'copyurl',
      args: ({ folder }) => ['copyurl', url, join(folder, name)],
      ...rest,
    }),
  ]);
}
