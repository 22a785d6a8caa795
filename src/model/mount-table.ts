/** What is mounted where, as Linux tells it in `/proc/self/mountinfo`, and which of it answers over a network. */
import { isInside } from './is-inside.js';

/** The file that tells it. Reading it waits for no server. */
export const MOUNT_TABLE = '/proc/self/mountinfo';

/** One mount. */
export interface Mount {
  /** Where it is mounted. */
  readonly point: string;
  /** `nfs4`, `ext4`, `fuse.sshfs`. */
  readonly type: string;
  /** What is mounted: `nas:/models`. */
  readonly source: string;
}

/** File systems whose files lie elsewhere: a call may wait for as long as nobody there answers. */
const SHARES = new Set([
  ...['nfs', 'nfs3', 'nfs4', 'cifs', 'smb3', 'smbfs', '9p', 'virtiofs', 'vboxsf', 'prl_fs'],
  ...[
    'afs',
    'beegfs',
    'ceph',
    'coda',
    'gfs2',
    'gpfs',
    'lustre',
    'ocfs2',
    'orangefs',
    'pvfs2',
    'wekafs',
  ],
]);

/** Whether a mount is a share: its server may be away while the mount is there. */
export function isShare({ type }: Mount): boolean {
  return SHARES.has(type) || type === 'fuse' || type.startsWith('fuse.');
}

/** `the share nas:/models (nfs4) at /mnt/models`. */
export function describeMount({ point, type, source }: Mount): string {
  return `the share ${source} (${type}) at ${point}`;
}

/** The mounts of a table. A line that is none of them is left out. */
export function mountsOf(table: string): Mount[] {
  return table.split('\n').flatMap((line) => {
    const [own = '', other = ''] = line.split(' - ');
    const point = own.split(' ')[4];
    const [type, source = ''] = other.split(' ');
    if (point === undefined || type === undefined || type === '') return [];
    return [{ point: unescaped(point), type, source: unescaped(source) }];
  });
}

/** The mount that a path without symbolic links lies on. */
export function mountAbove(mounts: readonly Mount[], path: string): Mount | undefined {
  let found: Mount | undefined;
  // Of two at one point the later one is what is seen.
  for (const mount of mounts) {
    const isLonger = mount.point.length >= (found?.point.length ?? 0);
    if (isLonger && isInside(mount.point, path)) found = mount;
  }
  return found;
}

function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/gu, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
