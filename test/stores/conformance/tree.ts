/** The tree that every store is tested with, and its bytes. */
import type { Seed } from './testbed.js';

/** Larger than a part of 16 MiB, and no multiple of anything. */
export const LARGE_BYTES = 17 * 1024 * 1024 + 3;

/** Bytes that differ at every offset and from every other seed; the same on each run. */
export function bytesOf(seed: number, lengthBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(lengthBytes);
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let index = 0; index < lengthBytes; index += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state & 0xff;
  }
  return bytes;
}

const text = (value: string): Buffer => Buffer.from(value, 'utf8');

/** path -> bytes of the files that listings and reads are tested with. */
export const BASIC: ReadonlyMap<string, Buffer> = new Map([
  ['basic/hello.txt', text('hello')],
  ['basic/nested/one.txt', text('one')],
  ['basic/nested/deeper/two.bin', text('two two')],
  // Sorts between a folder and what is in it, in byte order of whole keys.
  ['basic/nested.txt', text('beside the folder')],
  ['basic-other/not-below-basic.txt', text('prefixes match at a slash only')],
  ['reads/empty.bin', Buffer.alloc(0)],
  ['reads/one.bin', text('x')],
  ['reads/medium.bin', bytesOf(7, 300_000)],
  ['reads/large.bin', bytesOf(3, LARGE_BYTES)],
]);

/** The paths below a folder, relative to it. */
export function below(folder: string): string[] {
  const prefix = `${folder}/`;
  return [...BASIC.keys()]
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length));
}

/** The bytes of a file of the tree. */
export function contentOf(path: string): Buffer {
  const bytes = BASIC.get(path);
  if (bytes === undefined) throw new Error(`the tree has no ${path}`);
  return bytes;
}

/** Awkward names with why they are awkward. */
export const AWKWARD_NAMES: readonly (readonly [string, string])[] = [
  ['a space', 'two words.txt'],
  ['a space at both ends', ' padded .txt'],
  ['a plus', 'a+b.txt'],
  ['a percent sign', '100%.txt'],
  ['an escaped space, literally', 'a%20b.txt'],
  ['an escaped slash, literally', 'a%2Fb.txt'],
  ['a hash', 'part#1.txt'],
  ['a question mark', 'what?.txt'],
  ['an ampersand and an equals sign', 'a&b=c.txt'],
  ['a semicolon and a comma', 'a;b,c.txt'],
  ['a colon and an at sign', 'a:b@c.txt'],
  ['an asterisk and brackets', 'a*[b]{c}.txt'],
  ['a single quote', "it's.txt"],
  ['a double quote', 'say "hi".txt'],
  ['angle brackets', '<tag>.txt'],
  ['a dollar, a tilde, a bang', '$HOME~!.txt'],
  ['parentheses', 'copy (1).txt'],
  ['a pipe and a caret', 'a|b^c`d.txt'],
  ['a backslash', 'a\\b.txt'],
  ['an entity, literally', 'a&amp;b.txt'],
  ['Chinese', '模型.bin'],
  ['NFC', 'caf\u00e9.txt'],
  ['NFD', 'cafe\u0301.txt'],
  ['an emoji', 'rocket 🚀.txt'],
  ['a leading dot', '.hidden'],
  ['three dots', '...'],
  ['a leading dash', '-rf'],
  ['a newline', 'two\nlines.txt'],
  ['a tab', 'tab\there.txt'],
];

/** The seeds of the tree, awkward names included. */
export function treeSeeds(names: readonly string[], manyFiles: number): Seed[] {
  const seeds: Seed[] = [...BASIC].map(([path, bytes]) => ({ path, bytes }));
  for (const name of names) seeds.push({ path: `names/${name}`, bytes: text(`named ${name}`) });
  for (let index = 0; index < manyFiles; index += 1) {
    seeds.push({ path: manyPath(index), bytes: text(`file ${index}`) });
  }
  return seeds;
}

/** The path of one of the many files. */
export function manyPath(index: number): string {
  return `many/file-${String(index).padStart(5, '0')}.txt`;
}
