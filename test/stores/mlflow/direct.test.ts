/** Which runs are read past MLflow, where a run may name any host (rules 3 and 4). */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { accessTo, storageUri } from '../../../src/stores/mlflow/direct.js';
import { scratchFolder } from '../../helpers/processes.js';
import { failureOf, resolve } from './bench.js';

const RUN = 'a'.repeat(32);

/** Records as MLflow writes them into a folder, of one run that lies elsewhere. */
function recordsOf(root: string): string {
  const folder = scratchFolder('mlflow-direct');
  const common = `artifact_location: ${root}\nexperiment_id: '1'\nlifecycle_stage: active\nname: x\n`;
  mkdirSync(join(folder, '1', RUN), { recursive: true });
  writeFileSync(join(folder, '1/meta.yaml'), common);
  writeFileSync(
    join(folder, '1', RUN, 'meta.yaml'),
    `artifact_uri: ${root}/${RUN}/artifacts\nend_time: 2\nexperiment_id: '1'\nlifecycle_stage: active\n` +
      `run_id: ${RUN}\nrun_name: r\nrun_uuid: ${RUN}\nstart_time: 1\nstatus: 3\ntags: []\nuser_id: u\n`,
  );
  return pathToFileURL(folder).href;
}

describe('a path below an artifact root', () => {
  it.each([
    ['sftp://ada:s3cret@h:22/data/a%20b', 'model/x#1', 'sftp://ada@h:22/data/a%2520b/model/x%231'],
    ['ftp://ada:s3cret@h/mlflow/', 'a;type=i', 'ftp://h//mlflow/a%3Btype=i'],
    ['s3://bucket/mlflow', 'a%20b', 's3://bucket/mlflow/a%20b'],
    ['abfss://c@a.dfs.core.windows.net/m', 'x', 'abfss://c@a.dfs.core.windows.net/m/x'],
  ])('rule 3: of %s is written as its own store reads it, without a password', (root, path, uri) =>
    expect(storageUri(root, path)).toBe(uri),
  );
});

describe('access to a place that a run names', () => {
  it.each([
    ['sftp://ada@h/m', {}, {}, undefined],
    ['sftp://ada@h/m', { WAYBILL_PREFIXES: 'runs:/ sftp://ada@h/m' }, {}, 'list it'],
    ['sftp://ada@h/m/../x', { WAYBILL_PREFIXES: 'sftp://ada@h/m' }, {}, undefined],
    ['sftp://ada@h.evil/m', { WAYBILL_PREFIXES: 'sftp://ada@h' }, {}, undefined],
    ['ftp://h//m', {}, { WAYBILL_FTP_PASSWORD: 'x' }, undefined],
    ['hdfs://nn/m', { HADOOP_USER_NAME: 'ada' }, {}, 'credentials for HDFS'],
    ['hdfs://nn/m', { HADOOP_USER_NAME: 'ada' }, { WAYBILL_HDFS_PASSWORD: 'x' }, undefined],
    ['hdfs://nn/m', { WAYBILL_PREFIXES: 'hdfs://nn' }, { WAYBILL_HDFS_PASSWORD: 'x' }, 'list it'],
    ['https://h/m', { WAYBILL_PREFIXES: 'https://h/m' }, {}, undefined],
  ])('rule 4: to %s with %j and the secrets %j is %s', (uri, settings, secrets, why) => {
    const found = accessTo(uri, { settings: settings as Record<string, string>, secrets });
    if (why === undefined) expect(found).toBeUndefined();
    else expect(found).toContain(why);
  });
});

describe('records on disk that name a host', () => {
  it.each([
    ['sftp://ada:s3cret@files.example/m', {}, 'sftp://ada@files.example/m'],
    ['ftp://ada:s3cret@files.example/m', {}, 'ftp://files.example//m'],
    ['hdfs://nn.example/m', { WAYBILL_HDFS_PASSWORD: 'x' }, 'hdfs://nn.example/m'],
  ])('rule 4: are followed to %s only where that is listed', async (root, secrets, shown) => {
    const place = recordsOf(root);
    const error = await failureOf(
      'WB_CONFIG_INVALID',
      resolve(place, `runs:/${RUN}`, { secrets: secrets as Record<string, string> }),
    );
    expect(error.message).toContain(
      `prefixes = ["runs:/", "models:/", "${shown}/${RUN}/artifacts"]`,
    );
    expect(error.message).not.toContain('s3cret');
    const found = await resolve(place, `runs:/${RUN}`, {
      settings: { WAYBILL_PREFIXES: shown },
      secrets: secrets as Record<string, string>,
    });
    expect(found.uri).toBe(`${shown}/${RUN}/artifacts`);
    expect(JSON.stringify(found)).not.toContain('s3cret');
  });
});
