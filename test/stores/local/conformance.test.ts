import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { local } from '../../../src/stores/local/index.js';
import { scratchFolder } from '../../helpers/processes.js';
import { storeConformance } from '../conformance.js';

storeConformance({
  name: 'local',
  traits: {
    capabilities: {
      canList: true,
      ranges: 'yes',
      pin: 'unknown',
      knowsSizes: true,
      nativeDigests: [],
      listsInOrder: true,
      maxConnections: 16,
    },
    hasEmptyFolders: true,
    hasNetwork: false,
  },
  setup: async () => {
    const root = scratchFolder('local-conformance');
    await Promise.resolve();
    return {
      open: ({ at = '' } = {}) =>
        local.open({ uri: at === '' ? root : `${root}/${at}`, settings: {}, secrets: {} }),
      seed: async (seeds) => {
        for (const seed of seeds) {
          const target = join(root, seed.path);
          await mkdir('folder' in seed ? target : dirname(target), { recursive: true });
          if ('folder' in seed) continue;
          await writeFile(target, seed.bytes);
          await utimes(target, new Date(), new Date());
        }
      },
      stop: () => rm(root, { recursive: true }),
    };
  },
});
