/** Pulls from Google Cloud Storage with the key file of a service account: killed half-way, replaced half-way, verified. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startFakeGcs, type FakeGcs } from '../helpers/fake-gcs.js';
import { scratchFolder } from '../helpers/processes.js';
import { startToxiproxy, type ToxicProxy, type Toxiproxy } from '../helpers/toxiproxy.js';
import { digestsOfTree, expectedDigests, treeFiles, writeTree } from '../helpers/tree.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';
import { startGate, type Gate } from '../stores/gcs/gate.js';
import { recorded, untilRecorded } from './lib/recorded.js';
import {
  keyFile,
  PRIVATE_KEY,
  startTokenService,
  type TokenService,
} from '../stores/gcs/token-service.js';

const MiB = 1024 * 1024;
const LONG_MS = 600_000;
/** Google takes no line breaks in names. */
const FILES = treeFiles({ fileCount: 60, largeSizes: [40 * MiB] }).filter(
  ({ path }) => !path.includes('\n'),
);
const LARGE = FILES[0] ?? { path: '', sizeBytes: 0 };

let base: string;
let bed: WaybillBed;
let google: FakeGcs;
let gate: Gate;
let tokens: TokenService;
let toxiproxy: Toxiproxy;
let proxy: ToxicProxy;
let env: Record<string, string>;

beforeAll(async () => {
  base = scratchFolder('gcs');
  bed = openWaybill(join(base, 'waybill'));
  [google, toxiproxy] = await Promise.all([startFakeGcs(), startToxiproxy()]);
  const tree = join(base, 'tree');
  mkdirSync(tree);
  await writeTree(tree, FILES);
  await google.createBucket('models');
  for (const folder of ['killed', 'replaced']) await google.putTree('models', folder, tree);
  gate = await startGate(google.port);
  tokens = await startTokenService(gate.tokens);
  proxy = await toxiproxy.before(gate.port);
  const file = join(base, 'key.json');
  writeFileSync(file, JSON.stringify(keyFile(`${tokens.url}/token`)));
  env = {
    CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE: `http://127.0.0.1:${proxy.port}`,
    GOOGLE_APPLICATION_CREDENTIALS: file,
  };
  await bed.run(['up']);
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  for (const one of [tokens, gate, google, toxiproxy]) await one.stop();
  rmSync(base, { recursive: true, force: true });
}, LONG_MS);

/** So slow that a pull cannot be over before something happens, however quick the machine. */
const slowly = (): Promise<void> => proxy.add('bandwidth', { rate: 500 });

describe('a pull from gs://', () => {
  it(
    'rule 16: whose worker is killed half-way ends by itself, and fetches little twice',
    async () => {
      const to = join(bed.dir, 'killed');
      const { result } = await bed.run(['doctor', '--json']);
      const { worker } = (result as { processes?: { worker?: number } }).processes ?? {};
      if (worker === undefined) throw new Error('no worker runs');
      await slowly();
      const pulling = bed.start(['pull', 'gs://models/killed', to, '--json'], { env });
      await untilRecorded(to, pulling);
      process.kill(worker, 'SIGKILL');
      const kept = recorded(to);
      const askedBefore = gate.ranges.length;
      await proxy.remove('bandwidth');
      const run = await pulling.done;
      expect({ exitCode: run.exitCode, result: run.result }).toMatchObject({
        exitCode: 0,
        result: { ok: true, code: null, filesFailed: 0 },
      });
      expect(await digestsOfTree(to)).toEqual(expectedDigests(FILES));
      // What is recorded is not asked for again.
      const name = `killed/${LARGE.path}`;
      const again = gate.ranges.slice(askedBefore).filter((one) => one.name === name);
      expect(again.length).toBeGreaterThan(0);
      for (const { range } of again) {
        const [, first = '0', last = ''] = /^bytes=(\d+)-(\d*)$/.exec(range) ?? [];
        const end = last === '' ? LARGE.sizeBytes : Number(last) + 1;
        const twice = kept.filter(
          ({ offsetBytes, lengthBytes }) =>
            offsetBytes < end && offsetBytes + lengthBytes > Number(first),
        );
        expect({ range, twice }).toEqual({ range, twice: [] });
      }
      const receipt = readFileSync(join(to, '.waybill', 'receipt.json'), 'utf8');
      expect(JSON.parse(receipt)).toMatchObject({ levels: { provider: FILES.length } });
      const manifest = readFileSync(join(to, '.waybill', 'manifest.ndjson'), 'utf8');
      expect(manifest).toMatch(/generation:\d{10,}/);
      // A token for each thread that reads, and none of it is written anywhere (rule 3).
      expect(tokens.asked.length).toBeGreaterThan(0);
      const written = `${bed.stateText()} ${receipt} ${manifest} ${run.stdout} ${run.stderr}`;
      for (const secret of ['ya29.', PRIVATE_KEY.slice(60, 120)])
        expect(written).not.toContain(secret);
      expect((await bed.run(['verify', to])).exitCode).toBe(0);
    },
    LONG_MS,
  );

  it(
    'rule 12: whose source is replaced half-way says so, and the same command brings the new one',
    async () => {
      const to = join(bed.dir, 'replaced');
      await slowly();
      const pulling = bed.start(['pull', 'gs://models/replaced', to, '--json'], { env });
      await untilRecorded(to, pulling);
      // Nothing goes on meanwhile; the next range asks for a generation that is gone.
      await proxy.setUp(false);
      const fresh = Buffer.alloc(40 * MiB, 'another model');
      await google.putObject('models', `replaced/${LARGE.path}`, fresh);
      await proxy.remove('bandwidth');
      await proxy.setUp(true);
      const run = await pulling.done;
      expect(run.exitCode).toBe(3);
      expect(JSON.stringify(run.events)).toContain('WB_SOURCE_CHANGED');
      const again = await bed.run(['pull', 'gs://models/replaced', to, '--json'], { env });
      expect({ exitCode: again.exitCode, result: again.result }).toMatchObject({
        exitCode: 0,
        result: { ok: true },
      });
      expect(readFileSync(join(to, LARGE.path)).equals(fresh)).toBe(true);
    },
    LONG_MS,
  );

  it(
    'lists with the same login, and without one says what to do',
    async () => {
      const listed = await bed.run(['ls', 'gs://models/killed'], { env });
      expect(listed.stdout).toContain('large/');
      const { GOOGLE_APPLICATION_CREDENTIALS: _, ...without } = env;
      const none = { ...without, METADATA_SERVER_DETECTION: 'none', CLOUDSDK_CONFIG: base };
      const refused = await bed.run(['ls', 'gs://models/killed'], { env: none });
      expect(refused.exitCode).toBe(5);
      expect(refused.stderr).toContain('gcloud auth application-default login');
    },
    LONG_MS,
  );
});
