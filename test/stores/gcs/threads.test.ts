import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFakeGcs } from '../../helpers/fake-gcs.js';
import type { FakeGcs } from '../../helpers/fake-gcs.js';
import { scratchFolder, scrubbedEnv } from '../../helpers/processes.js';

const STORE = new URL('../../../src/stores/gcs/index.js', import.meta.url).href;
const MAIN = new URL('../../../src/cli/main.js', import.meta.url);

/** What of Google's library this process has loaded. */
const LOADED = `
  const { createRequire } = await import('node:module');
  const loaded = Object.keys(createRequire(${JSON.stringify(STORE)}).cache)
    .filter((file) => /google-auth-library|gaxios/.test(file));`;

/** Reads one object and says which parts of Google's library that took; run where nothing else is loaded. */
const READ = `
  const { gcs } = await import(${JSON.stringify(STORE)});
  const store = await gcs.open(address);
  let text = '';
  for await (const chunk of (await store.openRead('file.txt')).body) text += chunk;
  for await (const entry of store.list('', { recursive: true })) text += ' ' + entry.path;
  await store.close();
  ${LOADED}
  const answer = { text, loaded };`;

let dir: string;
let google: FakeGcs;

beforeAll(async () => {
  dir = scratchFolder('gcs-threads');
  google = await startFakeGcs();
  await google.createBucket('models');
  await google.putObject('models', 'a/file.txt', 'the bytes');
}, 300_000);
afterAll(async () => {
  await google.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function runScript(code: string): Promise<{ stdout: string; stderr: string }> {
  const env = scrubbedEnv({ HOME: dir, METADATA_SERVER_DETECTION: 'none' });
  const args = ['--no-warnings=DeprecationWarning', '--input-type=module', '--eval', code];
  return promisify(execFile)(process.execPath, args, { env });
}

describe('a GCS store', () => {
  it('is opened in a worker thread from a cloned address, and loads no SDK where nobody signs in', async () => {
    const address = { uri: 'gs://models/a', settings: google.env, secrets: {} };
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

  it('looks for a login where none is named, finds none, and says nothing about it', async () => {
    // Not an emulator: that would get no login in any case.
    const settings = { CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: google.endpoint };
    const address = { uri: 'gs://models/a', settings, secrets: {} };
    const { stdout, stderr } = await runScript(
      `const address = ${JSON.stringify(address)}; ${READ}
       console.log(JSON.stringify({ text, hasSdk: loaded.length > 0 }));`,
    );
    expect(JSON.parse(stdout)).toEqual({ text: 'the bytes file.txt', hasSdk: true });
    expect(stderr).toBe('');
  });

  it('costs a listing of a local folder nothing: no library of Google is loaded', async () => {
    const folder = join(dir, 'here');
    mkdirSync(folder);
    writeFileSync(join(folder, 'a.txt'), 'a');
    const { stdout } = await runScript(
      `process.argv = [process.execPath, 'waybill', 'ls', ${JSON.stringify(folder)}];
       const { createRequire } = await import('node:module');
       process.once('exit', () => {
         const files = Object.keys(createRequire(${JSON.stringify(STORE)}).cache);
         console.log('loaded ' + files.filter((file) => /google-auth-library|gaxios/.test(file)).length);
       });
       await import(${JSON.stringify(MAIN.href)});`,
    );
    expect(stdout).toContain('a.txt');
    expect(stdout).toContain('loaded 0');
  });
});
