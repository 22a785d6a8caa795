/** One large file from a web server (nginx on this machine). */
import { writeTree } from '../../test/helpers/tree.js';
import { startNginx, type Nginx } from '../../test/helpers/nginx.js';
import type { BenchCase } from '../lib/case.js';
import { httpPeers } from '../lib/peers.js';
import { engineAlone } from '../lib/waybill-side.js';
import type { World } from '../lib/world.js';

const MiB = 1024 * 1024;

/** An nginx with one file, `model.bin`; it ends with the case. */
export async function serveOne(world: World, sizeBytes: number): Promise<Nginx> {
  const root = await world.folder('served');
  await writeTree(root, [{ path: 'model.bin', sizeBytes }]);
  const nginx = await startNginx({ root });
  world.onEnd(() => nginx.stop());
  return nginx;
}

export function httpLarge(name: string, sizeMiB: number): BenchCase {
  return {
    name,
    what: `One file of ${sizeMiB / 1024} GiB from nginx on the same machine.`,
    prepare: async (world) => {
      const sizeBytes = world.scaled(sizeMiB * MiB);
      const url = `${(await serveOne(world, sizeBytes)).url}/model.bin`;
      const brings = { files: 1, bytes: sizeBytes };
      const sides = await world.sides();
      const own = sides.map((side) => side.puller(url, { brings }));
      return {
        contenders: [
          ...own,
          engineAlone(url, { brings }),
          ...(await httpPeers(world.peers, url, { brings })),
        ],
      };
    },
  };
}
