/** The oldest Node.js that is promised, which runs this test, and the current LTS. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ensureTemporalCli } from '../../../src/service/temporal-cli.js';
import { cacheFolder } from '../../helpers/cache.js';
import { CURRENT_NODE, ensureCurrentNode } from '../../helpers/current-node.js';
import { startMinio, type Minio } from '../../helpers/minio.js';
import { scratchFolder } from '../../helpers/processes.js';
import { run, type Ended } from './installation.js';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const MAIN = join(ROOT, 'dist/src/cli/main.js');
const LONG_MS = 300_000;

let dir: string;
let minio: Minio;
let temporal: string;
let current: string;

beforeAll(async () => {
  dir = scratchFolder('node');
  const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);
  const explicitPath = process.env['WAYBILL_TEMPORAL_CLI'];
  [minio, { path: temporal }, current] = await Promise.all([
    startMinio(),
    ensureTemporalCli({ cacheDir: cacheFolder(), explicitPath, onProgress }),
    ensureCurrentNode(onProgress),
  ]);
  await minio.createBucket('models');
  await minio.putObject('models', 'churn/w.bin', 'weights');
  mkdirSync(join(dir, '.aws'));
  writeFileSync(
    join(dir, '.aws', 'credentials'),
    `[team]\naws_access_key_id = ${minio.accessKeyId}\naws_secret_access_key = ${minio.secretAccessKey}\n`,
  );
}, LONG_MS);

afterAll(() => minio.stop());

describe.each([
  ['the Node.js of this test', () => process.execPath],
  [`Node.js ${CURRENT_NODE}`, () => current],
])('on %s', (_, node) => {
  const stateDir = (): string => join(dir, node() === current ? 'current' : 'oldest');
  const waybill = (...args: string[]): Promise<Ended> =>
    run(
      node(),
      [MAIN, ...args],
      {
        PATH: process.env['PATH'] ?? '',
        HOME: dir,
        WAYBILL_STATE_DIR: stateDir(),
        WAYBILL_TEMPORAL_CLI: temporal,
        WAYBILL_SERVICE: 'inline',
        AWS_PROFILE: 'team',
        AWS_ENDPOINT_URL: minio.endpoint,
        AWS_REGION: minio.region,
      },
      dir,
    );

  it(
    'a pull from S3 with the keys of a profile ends, and says nothing of Node.js or the SDK',
    async () => {
      const to = join(stateDir(), 'model');
      const pulled = await waybill('pull', 's3://models/churn', to);
      expect([pulled.exitCode, pulled.stdout]).toEqual([0, '1 file, 7 B: 1 provider\n']);
      expect(readFileSync(join(to, 'w.bin'), 'utf8')).toBe('weights');
      const listed = await waybill('ls', 's3://models/churn');
      expect([listed.exitCode, listed.stderr]).toEqual([0, '1 file, 7 B\n']);
      const log = readFileSync(join(stateDir(), 'worker.log'), 'utf8');
      expect(pulled.stderr + log).not.toMatch(/AWS SDK|[Ww]arning:|Node\.?js/);
    },
    LONG_MS,
  );
});

describe(`the quick tests of what is pure, on Node.js ${CURRENT_NODE}`, () => {
  it(
    'pass',
    async () => {
      const jest = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
      const tests = [
        'test/model',
        'test/manifest',
        'test/config',
        'test/cli/request',
        'test/stores/lib/network.test',
      ];
      const env = { PATH: process.env['PATH'] ?? '', HOME: dir };
      const ended = await run(current, [...jest, '--runInBand', ...tests], env, ROOT);
      expect([ended.exitCode, ended.stderr]).toEqual([
        0,
        expect.stringMatching(/Tests: +\d+ passed/),
      ]);
    },
    LONG_MS,
  );
});
