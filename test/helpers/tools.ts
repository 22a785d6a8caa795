/** Everything that the tests start and npm does not bring, fetched once into the cache folder. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { MLFLOW_VERSION, ensureMlflowVenv } from '../../src/demo/mlflow-venv.js';
import { ensureTemporalCli, findTemporalCli } from '../../src/service/temporal-cli.js';
import { ensurePostgres, POSTGRES_BINARY } from '../cluster/postgres.js';
import { ensureTemporalServer, hasTemporalServer } from '../cluster/temporal-server.js';
import { ensureApache } from './apache.js';
import { AWSCLI_FOLDER, ensureAwscli } from './awscli.js';
import { AZURITE_FOLDER, ensureAzurite } from './azurite-install.js';
import { cacheFolder } from './cache.js';
import { ensureFaketime } from './faketime.js';
import { ensureFakeGcs, fakeGcsPath } from './fake-gcs.js';
import { ensureGoProgram, goProgramPath } from './go-program.js';
import { ensureImagePackages } from '../image/base-image.js';
import { ensureHadoop, hadoopFolder } from './hadoop-install.js';
import { ensureKerberos } from './kerberos.js';
import { ensureKerberosPackage, KERBEROS_PACKAGE_FOLDER } from './kerberos-package.js';
import { ensureMinio, minioPath } from './minio.js';
import { CURRENT_NODE, ensureCurrentNode } from './current-node.js';
import { ensureMicrosocks } from './microsocks.js';
import { ensureMlflowStores, MLFLOW_STORES_FOLDER } from './mlflow-roots.js';
import { ensureMlrun, MLRUN_FOLDER, MLRUN_VERSION } from './mlrun.js';
import { modelSigningPython } from './model-signing.js';
import { ensureNginx } from './nginx.js';
import { ensureNtfs } from './ntfs.js';
import { ensurePromtool } from './promtool.js';
import { ensureSshd } from './sshd.js';
import { ensureStrace } from './strace.js';
import { ensureToxiproxy, toxiproxyPath } from './toxiproxy.js';
import { ensureFish, ensureZsh } from './shells.js';
import { ensureTmux } from './terminal.js';
import { ensureProftpd } from './proftpd.js';
import { ensureTinyproxy } from './tinyproxy.js';
import { ensureVsftpd } from './vsftpd.js';

interface Tool {
  readonly name: string;
  /** What it costs to get, once. */
  readonly cost: string;
  readonly isThere: () => Promise<boolean>;
  readonly ensure: (onProgress: (line: string) => void) => Promise<unknown>;
}

const inCache = (path: string): Promise<boolean> => isThere(join(cacheFolder(), path));
const temporal = {
  cacheDir: cacheFolder(),
  explicitPath: process.env['WAYBILL_TEMPORAL_CLI'],
};

/** Two lanes for two cores: what Go builds one after another, and beside it what is mostly fetched. */
const LANES: readonly (readonly Tool[])[] = [
  [
    {
      name: 'Temporal CLI',
      cost: 'built with Go, 280 MB to fetch, 2 to 4 minutes',
      isThere: async () => (await findTemporalCli(temporal)) !== undefined,
      ensure: (onProgress) => ensureTemporalCli({ ...temporal, onProgress }),
    },
    {
      name: 'MinIO',
      cost: 'built with Go, 170 MB to fetch, 2 to 3 minutes',
      isThere: () => isThere(minioPath()),
      ensure: ensureMinio,
    },
    {
      name: 'Temporal server',
      cost: 'built with Go, 150 MB to fetch, 2 to 4 minutes',
      isThere: hasTemporalServer,
      ensure: ensureTemporalServer,
    },
    {
      name: 'Toxiproxy',
      cost: 'built with Go, 10 MB to fetch, half a minute',
      isThere: () => isThere(toxiproxyPath()),
      ensure: ensureToxiproxy,
    },
    {
      name: 'fake-gcs-server',
      cost: 'built with Go, 100 MB to fetch, a minute',
      isThere: () => isThere(fakeGcsPath()),
      ensure: ensureFakeGcs,
    },
    {
      name: 'faultfs',
      cost: 'built with Go, 2 MB to fetch, seconds',
      isThere: () => isThere(goProgramPath('faultfs')),
      ensure: (onProgress) => ensureGoProgram('faultfs', onProgress),
    },
    {
      name: 'realnfs',
      cost: 'built with Go, 5 MB to fetch, seconds',
      isThere: () => isThere(goProgramPath('realnfs')),
      ensure: (onProgress) => ensureGoProgram('realnfs', onProgress),
    },
  ],
  [
    {
      name: 'nginx',
      cost: 'Debian packages, 2 MB, seconds',
      isThere: async () => (await isThere('/usr/sbin/nginx')) || inCache('debian-nginx/complete'),
      ensure: ensureNginx,
    },
    {
      name: 'PostgreSQL',
      cost: 'Debian packages, 35 MB, seconds',
      isThere: async () =>
        (await isThere(POSTGRES_BINARY)) || inCache('debian-postgresql/complete'),
      ensure: ensurePostgres,
    },
    {
      name: 'strace',
      cost: 'Debian packages, 2 MB, seconds',
      isThere: async () => (await isThere('/usr/bin/strace')) || inCache('debian-strace/complete'),
      ensure: ensureStrace,
    },
    {
      name: 'promtool',
      cost: 'a Debian package, 20 MB, seconds',
      isThere: async () =>
        (await isThere('/usr/bin/promtool')) || inCache('debian-prometheus/complete'),
      ensure: ensurePromtool,
    },
    {
      name: 'libfaketime',
      cost: 'Debian packages, 0.1 MB, seconds',
      isThere: () => inCache('debian-faketime/complete'),
      ensure: ensureFaketime,
    },
    {
      name: 'Apache httpd',
      cost: 'Debian packages, 2 MB, seconds',
      isThere: async () =>
        (await isThere('/usr/sbin/apache2')) || inCache('debian-apache/complete'),
      ensure: ensureApache,
    },
    {
      name: 'OpenSSH',
      cost: 'Debian packages, 2 MB, seconds',
      isThere: () => inCache('debian-openssh/complete'),
      ensure: ensureSshd,
    },
    {
      name: 'vsftpd',
      cost: 'Debian packages, 200 KB, a second',
      isThere: async () => (await isThere('/usr/sbin/vsftpd')) || inCache('debian-vsftpd/complete'),
      ensure: ensureVsftpd,
    },
    {
      name: 'ProFTPD',
      cost: 'Debian packages, 4 MB, seconds',
      isThere: async () =>
        (await isThere('/usr/sbin/proftpd')) || inCache('debian-proftpd/complete'),
      ensure: ensureProftpd,
    },
    {
      name: 'Kerberos',
      cost: 'Debian packages, 1 MB, seconds',
      isThere: () => inCache('debian-krb5/complete'),
      ensure: ensureKerberos,
    },
    {
      name: 'tinyproxy',
      cost: 'a Debian package, 50 KB, a second',
      isThere: async () =>
        (await isThere('/usr/bin/tinyproxy')) || inCache('debian-tinyproxy/complete'),
      ensure: ensureTinyproxy,
    },
    {
      name: 'microsocks',
      cost: 'a Debian package, 20 KB, a second',
      isThere: async () =>
        (await isThere('/usr/bin/microsocks')) || inCache('debian-microsocks/complete'),
      ensure: ensureMicrosocks,
    },
    {
      name: 'ntfs-3g',
      cost: 'Debian packages, 600 KB, a second',
      isThere: async () => (await isThere('/bin/lowntfs-3g')) || inCache('debian-ntfs-3g/complete'),
      ensure: ensureNtfs,
    },
    {
      name: 'tmux',
      cost: 'Debian packages, 1 MB, seconds',
      isThere: async () => (await isThere('/usr/bin/tmux')) || inCache('debian-tmux/complete'),
      ensure: ensureTmux,
    },
    {
      name: 'zsh',
      cost: 'Debian packages, 5 MB, seconds',
      isThere: async () => (await isThere('/bin/zsh')) || inCache('debian-zsh/complete'),
      ensure: ensureZsh,
    },
    {
      name: 'fish',
      cost: 'Debian packages, 3 MB, seconds',
      isThere: async () => (await isThere('/usr/bin/fish')) || inCache('debian-fish/complete'),
      ensure: ensureFish,
    },
    {
      name: 'packages of the image',
      cost: 'Debian packages, 4 MB, seconds',
      isThere: () => inCache('debian-image/complete'),
      ensure: ensureImagePackages,
    },
    {
      name: `Node.js ${CURRENT_NODE}`,
      cost: 'an npm package, 60 MB to fetch, half a minute',
      isThere: () => inCache(`node-${CURRENT_NODE}`),
      ensure: ensureCurrentNode,
    },
    {
      name: 'Azurite',
      cost: 'an npm package with 370 others, 40 MB to fetch, half a minute',
      isThere: () => inCache(AZURITE_FOLDER),
      ensure: ensureAzurite,
    },
    {
      name: 'Hadoop',
      cost: 'with Maven, 110 MB to fetch, seconds',
      isThere: () => isThere(hadoopFolder()),
      ensure: ensureHadoop,
    },
    {
      name: 'kerberos for Node.js',
      cost: 'an npm package, built with g++, seconds',
      isThere: () => inCache(KERBEROS_PACKAGE_FOLDER),
      ensure: ensureKerberosPackage,
    },
    {
      name: `MLflow ${MLFLOW_VERSION}`,
      cost: 'with pip, 190 MB to fetch, 1 to 2 minutes',
      isThere: () => inCache(`venv-mlflow-${MLFLOW_VERSION}/complete`),
      ensure: (onProgress) => ensureMlflowVenv({ cacheDir: cacheFolder(), onProgress }),
    },
    {
      name: 'stores of MLflow',
      cost: 'with pip, 7 MB to fetch, seconds',
      isThere: () => inCache(`${MLFLOW_STORES_FOLDER}/complete`),
      ensure: ensureMlflowStores,
    },
    {
      name: `MLRun ${MLRUN_VERSION}`,
      cost: 'with pip, 130 MB to fetch, 1 minute',
      isThere: () => inCache(`${MLRUN_FOLDER}/complete`),
      ensure: ensureMlrun,
    },
    {
      name: 'AWS CLI',
      cost: 'with pip, 20 MB to fetch, half a minute',
      isThere: () => inCache(`${AWSCLI_FOLDER}/complete`),
      ensure: ensureAwscli,
    },
    {
      name: 'model_signing',
      cost: 'with pip, 60 MB to fetch, half a minute',
      isThere: () => inCache('model-signing-1.1.1/ready'),
      ensure: modelSigningPython,
    },
  ],
];

/**
 * Gets every tool that is not there, or of those the named ones, two at a time, saying first what that is and what it costs.
 * @throws AggregateError with what could not be had; the others are there then
 */
export async function ensureTools(
  onProgress: (line: string) => void,
  names: readonly string[] = [],
): Promise<void> {
  const missing = await Promise.all(
    LANES.map(async (lane) => {
      const found = await Promise.all(lane.map((tool) => tool.isThere()));
      const isWanted = ({ name }: Tool): boolean => names.length === 0 || names.includes(name);
      return lane.filter((tool, index) => found[index] === false && isWanted(tool));
    }),
  );
  const wanted = missing.flat();
  if (wanted.length === 0) return;
  onProgress(`to get once, into ${cacheFolder()} (about 9 minutes if it is all on 2 cores):`);
  for (const tool of wanted) onProgress(`  ${tool.name}: ${tool.cost}`);
  const failures: unknown[] = [];
  const runLane = async (lane: readonly Tool[]): Promise<void> => {
    for (const tool of lane) {
      const started = performance.now();
      try {
        await tool.ensure(onProgress);
        onProgress(`${tool.name}: there, ${Math.round((performance.now() - started) / 1000)} s`);
      } catch (error) {
        onProgress(`${tool.name}: ${error instanceof Error ? error.message : String(error)}`);
        failures.push(error);
      }
    }
  };
  await Promise.all(missing.map(runLane));
  if (failures.length > 0) throw new AggregateError(failures, 'not every tool could be had');
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
