/** A line that is slow to answer, and one that breaks: Toxiproxy before real servers. */
import { serveOne } from './http.js';
import { s3Contenders } from './s3.js';
import type { BenchCase, Contender } from '../lib/case.js';
import { httpPeers } from '../lib/peers.js';
import { minioOf, putLarge, putMany } from '../lib/s3-source.js';
import { startToxiproxy, type ToxicProxy } from '../../test/helpers/toxiproxy.js';
import type { World } from '../lib/world.js';

const KiB = 1024;
const MiB = 1024 * KiB;

async function proxyBefore(world: World, port: number): Promise<ToxicProxy> {
  const toxiproxy = await startToxiproxy();
  world.onEnd(() => toxiproxy.stop());
  return toxiproxy.before(port);
}

/** Ranges and concurrency must hide it. */
export const latency: BenchCase = {
  name: 'latency-50ms',
  what: 'One object of 256 MiB and 2000 of 16 KiB from MinIO; every answer comes 50 ms later.',
  prepare: async (world) => {
    const minio = await minioOf(world);
    await minio.createBucket('bench');
    const [large, count, small] = [world.scaled(256 * MiB), world.scaled(2_000), 16 * KiB];
    await putLarge(minio, 'bench', 'far/model.bin', large);
    await putMany(minio, 'bench', 'far/', { count, sizeBytes: small });
    const proxy = await proxyBefore(world, minio.port);
    await proxy.add('latency', { latency: 50 });
    const brings = { files: 1 + count, bytes: large + count * small };
    const endpoint = `http://127.0.0.1:${proxy.port}`;
    return { contenders: await s3Contenders(world, minio, 'bench/far/', brings, endpoint) };
  },
};

/** What is learned beside what could be set: over a long way, the number of connections is all that counts. */
export const connections: BenchCase = {
  name: 'connections-50ms',
  what: 'One object of 512 MiB from MinIO, every answer 50 ms later and a connection at 12 MB/s: as learned, and with fixed caps.',
  places: ['tmpfs'],
  prepare: async (world) => {
    const minio = await minioOf(world);
    await minio.createBucket('bench');
    const bytes = world.scaled(512 * MiB);
    await putLarge(minio, 'bench', 'far/model.bin', bytes);
    const proxy = await proxyBefore(world, minio.port);
    await proxy.add('latency', { latency: 50 });
    await proxy.add('bandwidth', { rate: 12_000 });
    const env = { ...minio.env, AWS_ENDPOINT_URL: `http://127.0.0.1:${proxy.port}` };
    const brings = { files: 1, bytes };
    const [side] = await world.sides();
    if (side === undefined) return { contenders: [] };
    const pulls = (args: readonly string[]): Contender => ({
      ...side.puller('s3://bench/far/', { env, brings, args }),
      name: ['waybill', ...args].join(' '),
    });
    const fixed = [1, 2, 4, 8, 16, 32, 64].map((count) => pulls(['--concurrency', `${count}`]));
    return { contenders: [pulls([]), ...fixed] };
  },
};

/** Every connection ends after a tenth of the file. */
export const lossy: BenchCase = {
  name: 'lossy',
  what: 'One file of 256 MiB from nginx; every connection is cut after 32 MiB.',
  prepare: async (world) => {
    const sizeBytes = world.scaled(256 * MiB);
    const nginx = await serveOne(world, sizeBytes);
    const proxy = await proxyBefore(world, nginx.port);
    await proxy.add('limit_data', { bytes: Math.round(sizeBytes / 8) });
    const url = `http://127.0.0.1:${proxy.port}/model.bin`;
    const brings = { files: 1, bytes: sizeBytes };
    const sides = await world.sides();
    const peers = await httpPeers(world.peers, url, { brings, resumes: true });
    return { contenders: [...sides.map((side) => side.puller(url, { brings })), ...peers] };
  },
};
