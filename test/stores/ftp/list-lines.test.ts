/** Listings of servers that no test can start: Windows' own, and the odd ones for Unix. */
import { describe, expect, it } from '@jest/globals';
import { parseListing, UnreadableLine } from '../../../src/stores/ftp/list-lines.js';

const list = (...lines: readonly string[]): unknown[] => parseListing(lines.join('\r\n'), false);

describe('a listing as Windows servers write it', () => {
  it('gives names, sizes and folders, whatever the form of the time', () => {
    expect(
      list(
        '01-29-97  11:32PM       <DIR>          prog',
        '10-16-2026  09:07AM                 5290 model v2 .bin',
        '02-28-26  23:59                       0 empty',
        '10-16-26  11:29 AM         123456789012 large.bin',
      ),
    ).toEqual([
      { name: 'prog', kind: 'directory' },
      { name: 'model v2 .bin', kind: 'file', sizeBytes: 5290 },
      { name: 'empty', kind: 'file', sizeBytes: 0 },
      { name: 'large.bin', kind: 'file', sizeBytes: 123_456_789_012 },
    ]);
  });

  it('says of links that they are some, and keeps a blank that begins a name', () => {
    expect(
      list(
        '10-16-26  11:29AM       <JUNCTION>     elsewhere',
        '10-16-26  11:29AM       <SYMLINKD>     folder',
        '10-16-26  11:29AM       <SYMLINK>      file',
        '10-16-26  11:29AM                   12  two blanks',
      ),
    ).toMatchObject([
      { name: 'elsewhere', kind: 'link' },
      { name: 'folder', kind: 'link' },
      { name: 'file', kind: 'link' },
      { name: ' two blanks', kind: 'file', sizeBytes: 12 },
    ]);
  });
});

describe('a listing as servers for Unix write it', () => {
  it('with a group or without, with the year or the time, in either order', () => {
    expect(
      list(
        'total 12',
        '-rw-r--r--   1 ada      users          12 Jan  1 10:00 a',
        '-rwxr-xr-x   1 ada               34567890 14 Feb  2025 b c',
        '-rw-r--r--+  1 1000     1000          7 2026-01-31 10:00:59 d',
        'drwxr-xr-x   2 ada      users        4096 Jan  1 10:00 .hidden',
      ),
    ).toMatchObject([
      { name: 'a', kind: 'file', sizeBytes: 12, isExecutable: false },
      { name: 'b c', kind: 'file', sizeBytes: 34_567_890, isExecutable: true },
      { name: 'd', kind: 'file', sizeBytes: 7 },
      { name: '.hidden', kind: 'directory' },
    ]);
  });

  it('gives links with what they point to, and what is no file as such', () => {
    expect(
      list(
        'lrwxrwxrwx   1 ada      users           6 Jan  1 10:00 latest -> v2 -> x',
        'prw-r--r--   1 ada      users           0 Jan  1 10:00 pipe',
        'crw-rw-rw-   1 root     root        1,  3 Jan  1 10:00 null',
      ),
    ).toEqual([
      { name: 'latest', kind: 'link', target: 'v2 -> x' },
      { name: 'pipe', kind: 'special', special: 'fifo' },
      { name: 'null', kind: 'special', special: 'device' },
    ]);
  });
});

it('a line in no form that is known is said to be none', () => {
  expect(() => list('FILE.DAT;1   12/34  1-JAN-2026 10:00 [SYSTEM]')).toThrow(UnreadableLine);
});

it('MLSD gives names as they are, times only where they are exact, and neither of the two folders around', () => {
  const text = [
    'type=cdir;modify=20260101000000; /models',
    'type=pdir; ..',
    'Type=file;Size=5;Modify=20260131235959.123;UNIX.mode=0755; a; b=c',
    'type=file;size=18446744073709551616;modify=yesterday; huge',
    'type=OS.unix=slink:v2;unique=1; latest',
    'type=dir;sizd=4096; sub',
  ].join('\r\n');
  expect(parseListing(text, true)).toEqual([
    {
      name: 'a; b=c',
      kind: 'file',
      sizeBytes: 5,
      modified: '20260131235959.123',
      isExecutable: true,
    },
    { name: 'huge', kind: 'file' },
    { name: 'latest', kind: 'link', target: 'v2' },
    { name: 'sub', kind: 'directory' },
  ]);
});
