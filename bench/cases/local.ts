/** Many small files from a local folder. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scrubbedEnv } from '../../test/helpers/processes.js';
import { contentOf } from '../../test/helpers/tree.js';
import type { BenchCase } from '../lib/case.js';
import { engineAlone } from '../lib/waybill-side.js';

export function localMany(name: string, shape: { count: number; sizeBytes: number }): BenchCase {
  const { sizeBytes } = shape;
  return {
    name,
    what: `${shape.count} files of ${sizeBytes / 1024} KiB from a local folder on tmpfs.`,
    prepare: async (world) => {
      const count = world.scaled(shape.count);
      const root = await world.folder('source');
      for (let index = 0; index < count; index += 1) {
        const folder = join(root, `d${Math.floor(index / 1_000)}`);
        if (index % 1_000 === 0) mkdirSync(folder);
        const path = join(folder, `f${index}.bin`);
        writeFileSync(path, contentOf({ path: `f${index}`, sizeBytes }));
      }
      const brings = { files: count, bytes: count * sizeBytes };
      const sides = await world.sides();
      return {
        contenders: [
          ...sides.map((side) => side.puller(root, { brings })),
          engineAlone(root, { brings }),
          await world.peers.rclone({
            suffix: '--transfers 32',
            args: ({ folder }) => ['copy', '--transfers', '32', root, folder],
            brings,
          }),
          {
            name: 'cp -r',
            command: ({ folder }) => ({
              argv: ['cp', '-r', `${root}/.`, folder],
              env: scrubbedEnv(),
            }),
            isUnverified: true,
            brings,
          },
        ],
      };
    },
  };
}
