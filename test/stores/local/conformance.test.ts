import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe } from '@jest/globals';
import { local } from '../../../src/stores/local/index.js';
import { scratchFolder } from '../../helpers/processes.js';
import { startRealNfs } from '../../helpers/realnfs.js';
import { storeConformance } from '../conformance.js';
import type { Testbed } from '../conformance/testbed.js';

const traits = {
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
} as const;

/** @param folder where files are put, @param root where they are read */
function bedOf(folder: string, root: string): Omit<Testbed, 'stop'> {
  return {
    open: ({ at = '' } = {}) =>
      local.open({ uri: at === '' ? root : `${root}/${at}`, settings: {}, secrets: {} }),
    seed: async (seeds) => {
      for (const seed of seeds) {
        const target = join(folder, seed.path);
        await mkdir('folder' in seed ? target : dirname(target), { recursive: true });
        if ('folder' in seed) continue;
        await writeFile(target, seed.bytes);
        await utimes(target, new Date(), new Date());
      }
    },
  };
}

storeConformance({
  name: 'local',
  traits,
  setup: async () => {
    const root = scratchFolder('local-conformance');
    await Promise.resolve();
    return { ...bedOf(root, root), stop: () => rm(root, { recursive: true }) };
  },
});

describe('on a share that NFS brings', () => {
  storeConformance({
    name: 'local',
    traits,
    setup: async () => {
      const share = await startRealNfs();
      return { ...bedOf(share.folder, share.path), stop: () => share.stop() };
    },
  });
});
