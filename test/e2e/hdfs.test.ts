/** Pulls from a real HDFS: killed half-way, replaced half-way, damaged on the way, verified. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checksumOf } from '../helpers/checksums.js';
import { startHadoop, type Hadoop } from '../helpers/hadoop.js';
import { scratchFolder } from '../helpers/processes.js';
import { startToxiproxy, type ToxicProxy, type Toxiproxy } from '../helpers/toxiproxy.js';
import { digestsOfTree, expectedDigests, treeFiles, writeTree } from '../helpers/tree.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';
import { startGateway, type Gateway } from '../stores/hdfs/gateway.js';
import { recorded, untilRecorded } from './lib/recorded.js';

const MiB = 1024 * 1024;
const LONG_MS = 600_000;
/** HDFS has no names with a colon. */
const FILES = treeFiles({ fileCount: 30, largeSizes: [40 * MiB] }).filter(
  ({ path }) => !path.includes(':'),
);
const LARGE = FILES[0] ?? { path: '', sizeBytes: 0 };

let base: string;
let bed: WaybillBed;
let hadoop: Hadoop;
let gateway: Gateway;
let toxiproxy: Toxiproxy;
let proxy: ToxicProxy;
let env: Record<string, string>;

beforeAll(async () => {
  base = scratchFolder('hdfs');
  bed = openWaybill(join(base, 'waybill'));
  [hadoop, toxiproxy] = await Promise.all([startHadoop(), startToxiproxy()]);
  const tree = join(base, 'tree');
  mkdirSync(tree);
  await writeTree(tree, FILES);
  await hadoop.dfs(['-mkdir', '/models']);
  // Directly: under the names that they get meanwhile the longest would be too long.
  for (const folder of ['killed', 'replaced'])
    await hadoop.dfs(['-put', '-d', tree, `/models/${folder}`]);
  gateway = await startGateway(hadoop.port);
  proxy = await toxiproxy.before(gateway.port);
  env = { WAYBILL_HDFS_URL: `http://127.0.0.1:${proxy.port}` };
  await bed.run(['up']);
}, LONG_MS);

afterAll(async () => {
  await bed.close();
  for (const one of [gateway, hadoop, toxiproxy]) await one.stop();
  rmSync(base, { recursive: true, force: true });
}, LONG_MS);

/** So slow that a pull cannot be over before something happens, however quick the machine. */
const slowly = (): Promise<void> => proxy.add('bandwidth', { rate: 500 });

describe('a pull from hdfs://', () => {
  it(
    'rule 16: whose worker is killed half-way ends by itself, and fetches little twice',
    async () => {
      const to = join(bed.dir, 'killed');
      const { result } = await bed.run(['doctor', '--json']);
      const { worker } = (result as { processes?: { worker?: number } }).processes ?? {};
      if (worker === undefined) throw new Error('no worker runs');
      await slowly();
      const pulling = bed.start(['pull', 'hdfs:///models/killed', to, '--json'], { env });
      await untilRecorded(to, pulling);
      process.kill(worker, 'SIGKILL');
      const kept = recorded(to);
      const askedBefore = gateway.asked.length;
      await proxy.remove('bandwidth');
      const run = await pulling.done;
      expect({ exitCode: run.exitCode, result: run.result }).toMatchObject({
        exitCode: 0,
        result: { ok: true, code: null, filesFailed: 0 },
      });
      expect(await digestsOfTree(to)).toEqual(expectedDigests(FILES));
      // What is recorded is not asked for again.
      const again = gateway.asked
        .slice(askedBefore)
        .map((asked) => new URL(asked, 'http://gateway'))
        .filter(({ searchParams, pathname }) => {
          const isFile = decodeURIComponent(pathname).endsWith(`/killed/${LARGE.path}`);
          return isFile && searchParams.get('op') === 'OPEN';
        });
      expect(again.length).toBeGreaterThan(0);
      for (const { searchParams } of again) {
        const first = Number(searchParams.get('offset') ?? 0);
        const end = first + Number(searchParams.get('length') ?? LARGE.sizeBytes);
        const twice = kept.filter(
          ({ offsetBytes, lengthBytes }) => offsetBytes < end && offsetBytes + lengthBytes > first,
        );
        expect({ first, end, twice }).toEqual({ first, end, twice: [] });
      }
      const receipt = readFileSync(join(to, '.waybill', 'receipt.json'), 'utf8');
      expect(JSON.parse(receipt)).toMatchObject({ levels: { provider: FILES.length } });
      const manifest = readFileSync(join(to, '.waybill', 'manifest.ndjson'), 'utf8');
      expect(manifest).toMatch(/"md5crc":"crc32c\/512\/\d+\/[0-9a-f]{32}"/);
      expect((await bed.run(['verify', to])).exitCode).toBe(0);
    },
    LONG_MS,
  );

  it(
    'rule 12: whose source is replaced half-way says so, and the same command brings the new one',
    async () => {
      const to = join(bed.dir, 'replaced');
      await slowly();
      const pulling = bed.start(['pull', 'hdfs:///models/replaced', to, '--json'], { env });
      await untilRecorded(to, pulling);
      // Nothing goes on meanwhile; the next range finds another file.
      await proxy.setUp(false);
      const fresh = Buffer.alloc(40 * MiB, 'another model');
      const path = `/models/replaced/${LARGE.path}`;
      await hadoop.dfs(['-rm', '-skipTrash', path]);
      await hadoop.putFile(path, fresh, { block: 128 * MiB });
      await proxy.remove('bandwidth');
      await proxy.setUp(true);
      const run = await pulling.done;
      expect(run.exitCode).toBe(3);
      expect(JSON.stringify(run.events)).toContain('WB_SOURCE_CHANGED');
      const again = await bed.run(['pull', 'hdfs:///models/replaced', to, '--json'], { env });
      expect({ exitCode: again.exitCode, result: again.result }).toMatchObject({
        exitCode: 0,
        result: { ok: true },
      });
      expect(readFileSync(join(to, LARGE.path)).equals(fresh)).toBe(true);
    },
    LONG_MS,
  );

  it(
    'rule 17: by an HttpFS that combines checksums is proven by them, and a byte that is another one on the way is found',
    async () => {
      const composite = { 'dfs.checksum.combine.mode': 'COMPOSITE_CRC' };
      const httpFs = new URL(await hadoop.startHttpFs({ hdfsSite: composite }));
      const gate = await startGateway(Number(httpFs.port));
      try {
        const to = join(bed.dir, 'combined');
        const bytes = Buffer.alloc(3 * MiB + 5, 'some of a model');
        for (const name of ['good', 'bad']) {
          await hadoop.putFile(`/models/combined/${name}.bin`, bytes, { block: MiB });
        }
        gate.through.set('OPEN', (url) =>
          url.pathname.endsWith('/bad.bin') ? flippedOnTheWay() : undefined,
        );
        const pull = ['pull', 'hdfs:///models/combined', to, '--json'];
        const byHttpFs = { env: { WAYBILL_HDFS_URL: gate.url } };
        const run = await bed.run(pull, byHttpFs);
        expect({ exitCode: run.exitCode, result: run.result }).toMatchObject({
          exitCode: 3,
          result: { ok: false, failures: [{ path: 'bad.bin', code: 'WB_DIGEST_MISMATCH' }] },
        });
        expect(existsSync(join(to, 'bad.bin'))).toBe(false);
        gate.through.clear();
        const again = await bed.run(pull, byHttpFs);
        expect({ exitCode: again.exitCode }).toEqual({ exitCode: 0 });
        expect(readFileSync(join(to, 'bad.bin')).equals(bytes)).toBe(true);
        const receipt = readFileSync(join(to, '.waybill', 'receipt.json'), 'utf8');
        expect(JSON.parse(receipt)).toMatchObject({ levels: { provider: 2 } });
        const manifest = readFileSync(join(to, '.waybill', 'manifest.ndjson'), 'utf8');
        const said = `"crc32c":"${checksumOf('crc32c', bytes)}"`;
        expect(manifest.split(said)).toHaveLength(3);
      } finally {
        await gate.stop();
      }
    },
    LONG_MS,
  );
});

/** Changes one bit of the first byte. */
function flippedOnTheWay(): Transform {
  let isFirst = true;
  return new Transform({
    transform: (chunk: Buffer, _, done) => {
      const changed = Buffer.from(chunk);
      if (isFirst) changed.writeUInt8(changed.readUInt8(0) ^ 1, 0);
      isFirst = false;
      done(null, changed);
    },
  });
}
