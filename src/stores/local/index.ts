/** The store of local and mounted folders. */
import type { StoreFactory } from '../store.js';
import { localNameOf, rootPathOf } from './root-path.js';

/** Reads `/a/path`, `file:///a/path`, and whatever is mounted there. */
export const local: StoreFactory = {
  name: 'local',
  schemes: ['file'],
  summary: 'a folder or a file of this host, mounted shares (NFS) included',
  forms: ['/absolute/path', 'file:///absolute/path'],
  facts: {
    auth: ['the rights of the worker'],
    ranges: 'yes',
    pin: 'strong: ctime, mtime, size and inode; weak on a share, or younger than 2 s',
    digests: [],
    levels: ['size', 'size'],
  },
  environment: { settings: [], secrets: [] },
  open: async ({ uri, pace }) => {
    const root = rootPathOf(uri);
    const { LocalStore } = await import('./store.js');
    return new LocalStore(root, pace);
  },
  localName: localNameOf,
};
