/** What takes the place of lines in memory: an index of paths, lines read where they lie, and runs that are merged. */
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { compareByBytes } from '../../src/model/object-path.js';
import { LineFiles } from '../../src/transfer/lines/line-files.js';
import { MARKS, PathIndex } from '../../src/transfer/lines/path-index.js';
import { scanLines } from '../../src/transfer/lines/scan-lines.js';
import { SortedLines } from '../../src/transfer/lines/sorted-lines.js';
import { scratch } from '../helpers/engine.js';

let root: string;

beforeAll(async () => {
  root = await scratch('lines');
});

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

async function allOf(lines: SortedLines): Promise<string[]> {
  const found: string[] = [];
  for await (const some of lines.sorted()) {
    found.push(...some.map(({ path, text }) => `${path} ${text}`));
  }
  return found;
}

describe('lines that are sorted', () => {
  // Byte order is not that of UTF-16: an emoji comes after a private letter.
  const NAMES = ['b', 'a/b', 'a', 'a-b', 'ä', '\uf8ff', '😀', 'line\nfeed', 'tab\t', 'quote"'];
  const PATHS = NAMES.flatMap((name) =>
    Array.from({ length: 40 }, (_, index) => `${name}${index}`),
  );

  it.each([
    ['in memory', 1_000_000, 0],
    ['in many runs', 300, 5],
  ])('come in the byte order of their paths, %s', async (_, heldCharacters, atLeast) => {
    const lines = new SortedLines(join(root, 'sorting'), heldCharacters);
    for (const [index, path] of PATHS.entries()) await lines.add(path, `{"n":${index}}`);
    expect(lines.runsOnDisk).toBeGreaterThanOrEqual(atLeast);
    const wanted = PATHS.map((path, index) => ({ path, index }))
      .sort((a, b) => compareByBytes(a.path, b.path))
      .map(({ path, index }) => `${path} {"n":${index}}`);
    expect(await allOf(lines)).toEqual(wanted);
    await lines.drop();
    expect(readdirSync(root)).not.toContain('sorting');
  });

  it('make one run where they come in order, and keep what has the same path together', async () => {
    const lines = new SortedLines(join(root, 'ordered'), 100);
    const paths = [...PATHS, ...PATHS].sort(compareByBytes);
    for (const path of paths) await lines.add(path, '');
    expect(lines.runsOnDisk).toBe(1);
    expect(await allOf(lines)).toEqual(paths.map((path) => `${path} `));
    await lines.drop();
  });

  it('start anew where a killed process has left runs', async () => {
    mkdirSync(join(root, 'left'));
    writeFileSync(join(root, 'left', '0.run'), 'garbage');
    const lines = new SortedLines(join(root, 'left'), 1);
    await lines.add('b', '2');
    await lines.add('a', '1');
    expect(await allOf(lines)).toEqual(['a 1', 'b 2']);
    await lines.drop();
  });
});

describe('an index of paths', () => {
  it('finds every place through its growth, hides what was dropped, and keeps marks', () => {
    const index = new PathIndex();
    const pathOf = (number: number): string => `folder-${number % 100}/file-${number}`;
    for (let number = 0; number < 20_000; number += 1) index.set(pathOf(number), number);
    for (let number = 0; number < 20_000; number += 3) index.drop(pathOf(number));
    index.markPath(pathOf(1), MARKS.brought);
    index.set(pathOf(3), 30_000, MARKS.trusted);
    expect(index.size).toBe(20_000 - 6_667 + 1);
    const placeOf = (number: number): number | undefined => {
      const slot = index.find(pathOf(number));
      return slot === undefined ? undefined : index.placeAt(slot);
    };
    const wantedPlace = (number: number): number | undefined =>
      number === 3 ? 30_000 : number % 3 === 0 ? undefined : number;
    const numbers = Array.from({ length: 20_000 }, (_, number) => number);
    expect(numbers.filter((number) => placeOf(number) !== wantedPlace(number))).toEqual([]);
    const left = index.placesWithout(MARKS.brought);
    expect(left).toHaveLength(index.size - 1);
    expect([...left]).toEqual([...left].sort((a, b) => a - b));
    expect(index.find('folder-1/file-1x')).toBeUndefined();
  });

  it('takes some 27 bytes a path, however long it is', () => {
    const index = new PathIndex();
    const before = process.memoryUsage().arrayBuffers;
    const long = 'x'.repeat(200);
    for (let number = 0; number < 300_000; number += 1) index.set(`${long}${number}`, number);
    expect(index.size).toBe(300_000);
    expect((process.memoryUsage().arrayBuffers - before) / 300_000).toBeLessThan(80);
  });
});

describe('lines of a file', () => {
  const lineOf = (number: number): string => `${number} ${'ö'.repeat(number % 700)}`;
  const COUNT = 1_000;

  it('are read where they lie: over the ends of blocks, in a file that grows, and after it was moved', async () => {
    const path = join(root, 'file');
    const moved = join(root, 'moved');
    writeFileSync(path, '');
    const files = new LineFiles();
    const number = files.add([path, moved], statSync(path, { bigint: true }).ino);
    const places: number[] = [];
    let offset = 0;
    const append = (index: number): void => {
      const line = `${lineOf(index)}\n`;
      appendFileSync(path, line);
      places.push(files.placeOf(number, offset));
      offset += Buffer.byteLength(line);
    };
    for (let index = 0; index < COUNT; index += 1) {
      append(index);
      // What was read before it grew must not be taken for all there is.
      if (index % 50 === 0) {
        expect(String(await files.lineAt(places[index] ?? -1))).toBe(lineOf(index));
      }
    }
    renameSync(path, moved);
    writeFileSync(path, 'another file\n');
    const found: string[] = [];
    for (const place of places) found.push(String(await files.lineAt(place)));
    expect(found).toEqual(places.map((_, index) => lineOf(index)));
    rmSync(moved);
    await expect(new LineFiles().lineAt(0)).rejects.toMatchObject({ code: 'WB_LOCAL_DAMAGE' });
  });

  it('are found by a scan with the same offsets, whatever the size of its pieces; a torn one is not', async () => {
    const path = join(root, 'scanned');
    const text = Array.from({ length: COUNT }, (_, index) => `${lineOf(index)}\n`).join('');
    writeFileSync(path, `${text}torn`);
    for (const chunkBytes of [512, 4_096, 1 << 20]) {
      const found: string[] = [];
      const offsets: number[] = [];
      for await (const lines of scanLines(path, { chunkBytes })) {
        for (const line of lines) {
          found.push(String(line.bytes));
          offsets.push(line.offsetBytes);
        }
      }
      expect(found.join('\n')).toBe(text.trimEnd());
      expect(
        offsets.map((offset, index) => offset + Buffer.byteLength(found[index] ?? '') + 1),
      ).toEqual([...offsets.slice(1), Buffer.byteLength(text)]);
    }
  });
});
