import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startMinio } from '../../helpers/minio.js';
import type { Minio } from '../../helpers/minio.js';
import { scrubbedEnv } from '../../helpers/processes.js';
import { keysOf } from './testbed.js';

const STORE = new URL('../../../src/stores/s3/index.js', import.meta.url).href;

/** Reads one object and says which parts of the AWS SDK that took; run where nothing else is loaded. */
const READ = `
  const { s3 } = await import(${JSON.stringify(STORE)});
  const store = await s3.open(address);
  let text = '';
  for await (const chunk of (await store.openRead('file.txt')).body) text += chunk;
  for await (const entry of store.list('', { recursive: true })) text += ' ' + entry.path;
  await store.close();
  const { createRequire } = await import('node:module');
  const loaded = Object.keys(createRequire(${JSON.stringify(STORE)}).cache)
    .filter((file) => /@aws-sdk/.test(file));
  const answer = { text, loaded };`;

let minio: Minio;
beforeAll(async () => {
  minio = await startMinio();
  await minio.createBucket('models');
  await minio.putObject('models', 'a/file.txt', 'the bytes');
}, 300_000);
afterAll(() => minio.stop());

describe('an S3 store', () => {
  it('is opened in a worker thread from a cloned address, and loads no SDK for static keys', async () => {
    const address = {
      uri: 's3://models/a',
      settings: { AWS_ENDPOINT_URL: minio.endpoint },
      secrets: keysOf(minio),
    };
    const code = `(async () => {
      const { parentPort, workerData: address } = require('node:worker_threads');
      ${READ}
      parentPort.postMessage(answer);
    })();`;
    const worker = new Worker(code, { eval: true, workerData: address });
    const answer = await new Promise((resolve, reject) => {
      worker.once('message', resolve).once('error', reject);
    });
    await worker.terminate();
    expect(answer).toEqual({ text: 'the bytes file.txt', loaded: [] });
  });

  it('takes a role through the profile, and says nothing about versions of Node', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'waybill-role-'));
    await writeFile(
      join(folder, 'config'),
      [
        ...['[profile base]', 'region = us-east-1'],
        `aws_access_key_id = ${minio.accessKeyId}`,
        `aws_secret_access_key = ${minio.secretAccessKey}`,
        ...['[profile role]', 'role_arn = arn:aws:iam::123456789012:role/any'],
        ...['source_profile = base', 'region = us-east-1', `endpoint_url = ${minio.endpoint}`],
      ].join('\n'),
    );
    const address = {
      uri: 's3://models/a',
      settings: { AWS_PROFILE: 'role', AWS_CONFIG_FILE: join(folder, 'config') },
      secrets: {},
    };
    const code = `const address = ${JSON.stringify(address)}; ${READ}
      console.log(JSON.stringify({ text, hasSdk: loaded.length > 0 }));`;
    // The SDK reads the endpoint of its own token service from the process alone.
    const env = scrubbedEnv({ AWS_ENDPOINT_URL_STS: minio.endpoint, HOME: folder });
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', code],
      { env },
    );
    expect(JSON.parse(stdout)).toEqual({ text: 'the bytes file.txt', hasSdk: true });
    expect(stderr).toBe('');
    await rm(folder, { recursive: true, force: true });
  });
});
