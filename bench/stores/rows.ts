/** The servers that the stores are tried with, in the order of `waybill stores`. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { percentEncodePath } from '../../src/stores/lib/byte-names.js';
import { startAzurite } from '../../test/helpers/azurite.js';
import { startFakeGcs } from '../../test/helpers/fake-gcs.js';
import { startHadoop } from '../../test/helpers/hadoop.js';
import { startNginx } from '../../test/helpers/nginx.js';
import { ensureRclone } from '../../test/helpers/peers.js';
import { PASSWORD, startProftpd } from '../../test/helpers/proftpd.js';
import { SSHD_USER, startSshd } from '../../test/helpers/sshd.js';
import { startVsftpd, type FtpServer } from '../../test/helpers/vsftpd.js';
import { rcloneS3 } from '../lib/peers.js';
import { minioOf } from '../lib/s3-source.js';
import type { Served, StoreRow } from './served.js';

/** Writes below a folder; a file that is there is replaced as a whole, as whoever publishes files does it. */
function putBelow(root: string): Served['put'] {
  let count = 0;
  return (path, bytes) => {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    count += 1;
    const fresh = join(root, `..fresh-${count}`);
    writeFileSync(fresh, bytes);
    renameSync(fresh, target);
    return Promise.resolve();
  };
}

const s3: StoreRow = {
  store: 's3',
  server: 'MinIO',
  serve: async (world) => {
    const minio = await minioOf(world);
    await minio.createBucket('models');
    return {
      env: minio.env,
      uri: (path) => `s3://models/${path}`,
      put: (path, bytes) => minio.putObject('models', path, bytes),
      rclone: { remote: (path) => rcloneS3(minio.endpoint, `models/${path}`), env: minio.env },
    };
  },
};

const azure: StoreRow = {
  store: 'azure-blob',
  server: 'Azurite',
  serve: async (world) => {
    const azurite = await startAzurite();
    world.onEnd(() => azurite.stop());
    await azurite.createContainer('models');
    const { account, key, endpoint } = azurite;
    const remote = `:azureblob,account=${account},key="${key}",endpoint="${endpoint}"`;
    return {
      env: azurite.env,
      uri: (path) => `az://models/${path}`,
      put: (path, bytes) => azurite.putBlob('models', path, bytes),
      // The service takes a backslash for a slash.
      canHold: (name) => !name.includes('\\'),
      rclone: { remote: (path) => `${remote}:models/${path}` },
    };
  },
};

const gcs: StoreRow = {
  store: 'gcs',
  server: 'fake-gcs-server',
  serve: async (world) => {
    const google = await startFakeGcs();
    world.onEnd(() => google.stop());
    await google.createBucket('models');
    const remote = `:gcs,endpoint="${google.endpoint}/storage/v1/",anonymous=true,bucket_policy_only=true`;
    return {
      env: google.env,
      uri: (path) => `gs://models/${path}`,
      put: (path, bytes) => google.putObject('models', path, bytes),
      // Cloud Storage knows no names with line ends, and neither does this server.
      canHold: (name) => !/[\r\n]/u.test(name),
      rclone: { remote: (path) => `${remote}:models/${path}` },
    };
  },
};

const hdfs: StoreRow = {
  store: 'hdfs',
  server: 'Hadoop, WebHDFS',
  serve: async (world) => {
    const hadoop = await startHadoop();
    world.onEnd(() => hadoop.stop());
    return {
      env: { ...hadoop.env, HADOOP_USER_NAME: userInfo().username },
      uri: (path) => `hdfs:///models/${path}`,
      put: (path, bytes) => hadoop.putFile(`/models/${path}`, bytes, { block: 128 * 1024 * 1024 }),
      // HDFS has no names with a colon.
      canHold: (name) => !name.includes(':'),
      rclone: {
        remote: (path) =>
          `:hdfs,namenode="127.0.0.1:${hadoop.rpcPort}",username=${userInfo().username}:/models/${path}`,
      },
    };
  },
};

const sftp: StoreRow = {
  store: 'sftp',
  server: 'OpenSSH',
  serve: async (world) => {
    const root = await world.folder('files');
    chmodSync(dirname(root), 0o755);
    const sshd = await startSshd();
    world.onEnd(() => sshd.stop());
    const { port, settings } = sshd;
    const remote = `:sftp,host=127.0.0.1,port=${port},user=${SSHD_USER},key_file="${sshd.keyFile}"`;
    return {
      env: settings,
      uri: (path) => `sftp://${SSHD_USER}@127.0.0.1:${port}${percentEncodePath(join(root, path))}`,
      put: putBelow(root),
      rclone: { remote: (path) => `${remote}:${join(root, path)}` },
    };
  },
};

/** A server of FTP over a folder. */
function ftp(
  server: string,
  start: (options: { readonly root: string }) => Promise<FtpServer>,
  login: readonly [string, string] | undefined,
): StoreRow {
  return {
    store: 'ftp',
    server,
    serve: async (world) => {
      const root = await world.folder('files');
      chmodSync(dirname(root), 0o755);
      chmodSync(root, 0o755);
      const { port, stop } = await start({ root });
      world.onEnd(stop);
      const [user, password] = login ?? ['anonymous', 'anonymous@'];
      const rclone = await ensureRclone(world.say);
      const hidden = execFileSync(rclone, ['obscure', password], { encoding: 'utf8' }).trim();
      const remote = `:ftp,host=127.0.0.1,port=${port},user=${user},pass="${hidden}"`;
      return {
        env: login === undefined ? {} : { WAYBILL_FTP_USER: user, WAYBILL_FTP_PASSWORD: password },
        uri: (path) => `ftp://127.0.0.1:${port}/${percentEncodePath(path)}`,
        put: putBelow(root),
        // A command ends at a line end.
        canHold: (name) => !/[\r\n]/u.test(name),
        rclone: { remote: (path) => `${remote}:${path}` },
      };
    },
  };
}

const http: StoreRow = {
  store: 'http',
  server: 'nginx, its index',
  serve: async (world) => {
    const root = await world.folder('www');
    const nginx = await startNginx({ root });
    world.onEnd(() => nginx.stop());
    return {
      env: {},
      uri: (path) => `${nginx.url}/${percentEncodePath(path)}`,
      put: putBelow(root),
      // nginx leaves them out of its indexes.
      canHold: (name) => !name.startsWith('.'),
      rclone: { remote: (path) => `:http,url="${nginx.url}":${path}` },
    };
  },
};

const local: StoreRow = {
  store: 'local',
  server: 'a folder',
  serve: async (world) => {
    const root = await world.folder('source');
    return {
      env: {},
      uri: (path) => join(root, path),
      put: putBelow(root),
      rclone: { remote: (path) => join(root, path) },
    };
  },
};

export const ROWS: readonly StoreRow[] = [
  s3,
  azure,
  gcs,
  sftp,
  hdfs,
  ftp('vsftpd', startVsftpd, undefined),
  ftp('ProFTPD', startProftpd, ['ada', PASSWORD]),
  http,
  local,
];
