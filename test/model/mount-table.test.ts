import { expect, it } from '@jest/globals';
import { isShare, mountAbove, mountsOf } from '../../src/model/mount-table.js';

const TABLE = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /proc rw - proc proc rw
40 22 0:44 / /mnt/nas rw,relatime shared:9 - nfs4 nas:/models rw,vers=4.2,hard
41 40 0:45 / /mnt/nas/deep rw - ext4 /dev/sdb1 rw
42 22 0:46 / /mnt/my\\040share rw - cifs //host/my\\040share rw
43 22 0:47 / /mnt/ssh rw - fuse.sshfs me@host: rw
44 22 0:48 / /mnt/stick rw - fuseblk /dev/sdc1 rw
45 22 0:49 / /mnt/stick rw - nfs nas:/later rw
`;

const under = (path: string): readonly unknown[] => {
  const mount = mountAbove(mountsOf(TABLE), path);
  return [mount?.point, mount?.source, mount !== undefined && isShare(mount)];
};

it('finds the mount that a path lies on, and whether it is a share', () => {
  expect(under('/home/me')).toEqual(['/', '/dev/sda1', false]);
  expect(under('/mnt/nas')).toEqual(['/mnt/nas', 'nas:/models', true]);
  expect(under('/mnt/nas/a/b')).toEqual(['/mnt/nas', 'nas:/models', true]);
  expect(under('/mnt/nas2')).toEqual(['/', '/dev/sda1', false]);
  expect(under('/mnt/nas/deep/x')).toEqual(['/mnt/nas/deep', '/dev/sdb1', false]);
  expect(under('/mnt/my share/x')).toEqual(['/mnt/my share', '//host/my share', true]);
  expect(under('/mnt/ssh/x')).toEqual(['/mnt/ssh', 'me@host:', true]);
});

it('takes the later one of two at the same place, and no line that is none', () => {
  expect(under('/mnt/stick/x')).toEqual(['/mnt/stick', 'nas:/later', true]);
  expect(mountsOf('nonsense\n\n')).toEqual([]);
  expect(mountAbove([], '/x')).toBeUndefined();
});
