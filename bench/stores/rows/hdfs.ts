/** HDFS, by Hadoop. */
import { userInfo } from 'node:os';
import { startHadoop } from '../../../test/helpers/hadoop.js';
import type { StoreRow } from '../served.js';

export const hdfs: StoreRow = {
  store: 'hdfs',
  server: 'Hadoop, WebHDFS',
  serve: async (world) => {
    const hadoop = await startHadoop();
    world.onEnd(() => hadoop.stop());
    return {
      env: { ...hadoop.env, HADOOP_USER_NAME: userInfo().username },
      uri: (path) => `hdfs:///models/${path}`,
      put: (path, bytes) => hadoop.putFile(`/models/${path}`, bytes, { block: 128 * 1024 * 1024 }),
      // A thousand files one by one take it half a minute.
      putFolder: (path, dir) => hadoop.putTree(`/models/${path.replace(/\/$/, '')}`, dir),
      // HDFS has no names with a colon.
      canHold: (name) => !name.includes(':'),
      rclone: {
        remote: (path) =>
          `:hdfs,namenode="127.0.0.1:${hadoop.rpcPort}",username=${userInfo().username}:/models/${path}`,
      },
      tools: async (folder, brings) => [
        await world.peers.hdfs({
          confDir: hadoop.confDir,
          args: ({ folder: to }) => ['-get', '-t', '8', `/models/${folder}`, to],
          env: { HADOOP_USER_NAME: userInfo().username },
          brings,
        }),
      ],
    };
  },
};
