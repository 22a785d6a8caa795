import { describe, expect, it } from '@jest/globals';
import { walkOrder } from '../../../src/stores/lib/path-order.js';

const found = (name: string, isFolder = false): { name: string; isFolder: boolean } => ({
  name,
  isFolder,
});
const keysOf = (names: readonly { name: string; isFolder: boolean }[], recursive: boolean) =>
  walkOrder(names, ({ isFolder }) => isFolder, recursive).map(
    ({ name, isContent }) => `${name}${isContent ? '/' : ''}`,
  );

describe('the order of a walk', () => {
  it('is that of the bytes of whole paths', () => {
    const names = [found('a.txt'), found('a', true), found('B')];
    expect(keysOf(names, true)).toEqual(['B', 'a', 'a.txt', 'a/']);
    expect(keysOf(names, false)).toEqual(['B', 'a', 'a.txt']);
  });

  // ext4 was seen to tell a slow reader of a folder its first 820 names again.
  it('has what a folder names twice once', () => {
    const names = [found('b'), found('a', true), found('b'), found('a', true), found('c')];
    expect(keysOf(names, true)).toEqual(['a', 'a/', 'b', 'c']);
  });

  it('keeps a file and a folder of one name, which only an object store has', () => {
    expect(keysOf([found('a', true), found('a')], true)).toEqual(['a', 'a', 'a/']);
  });
});
