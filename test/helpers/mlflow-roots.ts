/**
 * Where a real MLflow server keeps its artifacts, beside its own disk and S3: what `startMlflow` takes for it. In a test:
 *
 *     const azurite = await startAzurite();
 *     const mlflow = await startMlflow(await mlflowOnAzure(azurite, 'models'));
 *
 * MLflow comes without the libraries for these stores: they lie in a folder of their own in the cache, pinned.
 */
import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureMlflowVenv, MLFLOW_VERSION } from '../../src/demo/mlflow-venv.js';
import { withInstallLock } from '../../src/service/install-lock.js';
import { runTool } from '../../src/service/run-tool.js';
import type { Azurite } from './azurite.js';
import { cacheFolder } from './cache.js';
import type { FakeGcs } from './fake-gcs.js';
import type { MlflowOptions } from './mlflow.js';
import { scratchFolder } from './processes.js';
import { SSHD_PASSWORD, SSHD_USER, type Sshd } from './sshd.js';

/** Whatever MLflow's own environment lacks for Azure, Google Cloud Storage and SFTP, with what these need in their turn. */
const PACKAGES = [
  'azure-core==1.41.0',
  'azure-identity==1.27.0',
  'azure-storage-blob==12.30.0',
  'bcrypt==5.0.0',
  'google-api-core==2.44.0',
  'google-cloud-core==2.8.0',
  'google-cloud-storage==3.17.1',
  'google-crc32c==1.9.0',
  'google-resumable-media==2.11.0',
  'googleapis-common-protos==1.76.0',
  'isodate==0.7.2',
  'msal==1.39.0',
  'msal-extensions==1.3.1',
  'paramiko==3.5.1',
  'proto-plus==1.29.0',
  'PyJWT==2.15.1',
  'PyNaCl==1.6.2',
  'pysftp==0.2.9',
];

/** The folder in the cache. */
export const MLFLOW_STORES_FOLDER = `mlflow-stores-${MLFLOW_VERSION}-1`;

/** A folder for PYTHONPATH; its packages belong to the Python of MLflow's environment. */
export async function ensureMlflowStores(onProgress: (line: string) => void): Promise<string> {
  const dir = join(cacheFolder(), MLFLOW_STORES_FOLDER);
  const isThere = (): Promise<boolean> =>
    access(join(dir, 'complete')).then(
      () => true,
      () => false,
    );
  const packages = join(dir, 'packages');
  if (await isThere()) return packages;
  const { python } = await ensureMlflowVenv({ cacheDir: cacheFolder(), onProgress });
  const onWait = (pid: number): void => onProgress(`stores of MLflow: waiting for process ${pid}`);
  await withInstallLock({ path: `${dir}.lock`, onWait }, async () => {
    if (await isThere()) return;
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir, { recursive: true });
    const pip = ['-m', 'pip', 'install', '--no-input', '--disable-pip-version-check', '--no-deps'];
    const { exitCode, output } = await runTool({
      command: python,
      args: [...pip, '--prefer-binary', '--target', packages, ...PACKAGES],
    });
    if (exitCode !== 0) throw new Error(`pip: ${output.slice(-2_000)}`);
    await writeFile(join(dir, 'complete'), `${PACKAGES.join('\n')}\n`);
  });
  return packages;
}

/** `wasbs://` in an Azurite; the container has to be there. */
export async function mlflowOnAzure(azurite: Azurite, container: string): Promise<MlflowOptions> {
  const root = `wasbs://${container}@${azurite.account}.blob.core.windows.net/mlflow`;
  return optionsOf(root, { AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString });
}

/** `gs://` in a fake-gcs-server; the bucket has to be there. Google's library asks an emulator as nobody, without more. */
export async function mlflowOnGcs(google: FakeGcs, bucket: string): Promise<MlflowOptions> {
  return optionsOf(`gs://${bucket}/mlflow`, google.env);
}

/** `sftp://` below the home of sshd's user. MLflow takes its password in the address. */
export async function mlflowOnSftp(sshd: Sshd): Promise<MlflowOptions> {
  const home = scratchFolder('mlflow-home');
  await mkdir(join(home, '.ssh'));
  // Its library looks a host up without the port.
  await writeFile(join(home, '.ssh/known_hosts'), `127.0.0.1 ${sshd.hostKey}\n`);
  const login = `${SSHD_USER}:${SSHD_PASSWORD}`;
  return optionsOf(`sftp://${login}@127.0.0.1:${sshd.port}${sshd.dir}/home/mlflow`, { HOME: home });
}

/** `ftp://`: Python's own library. */
export async function mlflowOnFtp(
  port: number,
  login: { readonly user: string; readonly password: string },
): Promise<MlflowOptions> {
  const who = `${login.user}:${encodeURIComponent(login.password)}`;
  return optionsOf(`ftp://${who}@127.0.0.1:${port}/mlflow`, {});
}

async function optionsOf(
  root: string,
  env: Readonly<Record<string, string>>,
): Promise<MlflowOptions> {
  const packages = await ensureMlflowStores((line) => process.stderr.write(`${line}\n`));
  return { extraArgs: ['--artifacts-destination', root], env: { PYTHONPATH: packages, ...env } };
}
