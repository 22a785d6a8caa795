/** Servers of files with accounts, as roots of an MLflow server whose address holds a password. */
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionSecrets, ConnectionSettings } from '../../../src/stores/store.js';
import type { MlflowOptions } from '../../helpers/mlflow.js';
import { mlflowOnFtp, mlflowOnSftp } from '../../helpers/mlflow-roots.js';
import { scratchFolder } from '../../helpers/processes.js';
import { PASSWORD, startProftpd } from '../../helpers/proftpd.js';
import { SSHD_USER, startSshd } from '../../helpers/sshd.js';

/** A root that is served. */
export interface Started {
  readonly options: MlflowOptions;
  readonly stop: () => Promise<void>;
}

/** The same, with ways around the server. */
export interface WithFolder extends Started {
  /** The root on this disk. */
  readonly folder: string;
  /** The root as Waybill names it. */
  readonly uri: string;
  /** What Waybill itself signs in with. */
  readonly settings: ConnectionSettings;
  readonly secrets: ConnectionSecrets;
}

/** Starts it, empty. */
export async function onSftp(): Promise<WithFolder> {
  const sshd = await startSshd();
  const options = await mlflowOnSftp(sshd);
  const folder = join(sshd.dir, 'home/mlflow');
  return {
    options,
    folder,
    uri: `sftp://${SSHD_USER}@127.0.0.1:${sshd.port}${folder}`,
    settings: sshd.settings,
    secrets: {},
    stop: () => sshd.stop(),
  };
}

/** Starts it, empty. */
export async function onFtp(): Promise<WithFolder> {
  const root = scratchFolder('mlflow-ftp');
  chmodSync(root, 0o777);
  const server = await startProftpd({ root });
  const stop = async (): Promise<void> => {
    await server.stop();
    rmSync(root, { recursive: true, force: true });
  };
  const options = await mlflowOnFtp(server.port, { user: 'ada', password: PASSWORD });
  return {
    options,
    folder: join(root, 'mlflow'),
    uri: `ftp://127.0.0.1:${server.port}//mlflow`,
    settings: {},
    secrets: { WAYBILL_FTP_USER: 'ada', WAYBILL_FTP_PASSWORD: PASSWORD },
    stop,
  };
}
