/** The order of flushes and renames, as the kernel sees them. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { scratch } from '../helpers/engine.js';
import { traceCalls, type SystemCall } from '../helpers/strace.js';

const MiB = 1024 * 1024;
/** More than a hundred small files travel in one pack. */
const SMALL = Array.from({ length: 110 }, (_, index) => `deep/er/${index % 3}/file-${index}`);
const LARGE = 'large/model.bin';

let root: string;
let to: string;
let calls: readonly SystemCall[];

beforeAll(async () => {
  root = await scratch('order');
  const from = join(root, 'from');
  to = join(root, 'to');
  for (const path of [...SMALL, LARGE]) {
    mkdirSync(dirname(join(from, path)), { recursive: true });
    writeFileSync(join(from, path), randomBytes(path === LARGE ? 33 * MiB : 100));
  }
  const script = fileURLToPath(new URL('../helpers/pull-process.js', import.meta.url));
  const flushes = ['fsync', 'fdatasync', 'write', 'pwrite64'];
  const names = [...flushes, 'rename', 'renameat', 'renameat2', 'link', 'linkat'];
  calls = await traceCalls(join(root, 'trace'), names, [process.execPath, script, from, to]);
}, 300_000);

afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

const quoted = (args: string): string[] =>
  [...args.matchAll(/"((?:[^"\\]|\\.)*)"/gu)].map(([, text = '']) => text);
const pathOf = (args: string): string => /^\d+<([^>]*)>/u.exec(args)?.[1] ?? '';
const isFlush = ({ name }: SystemCall): boolean => name === 'fsync' || name === 'fdatasync';
const flushesOf = (path: string): SystemCall[] =>
  calls.filter((call) => isFlush(call) && pathOf(call.args) === path);

/** The call that gives a file its final name, under a held folder, and the partial that it was. Names are unique. */
function publishing(path: string): { rename: SystemCall; partial: string } {
  const rename = calls.find(
    ({ name, args }) =>
      /^(rename|link)/u.test(name) &&
      quoted(args)
        .at(-1)
        ?.endsWith(`/${basename(path)}`),
  );
  if (rename === undefined) throw new Error(`${path} never got its name`);
  return { rename, partial: quoted(rename.args)[0] ?? '' };
}

/** Journal writes of a kind that name a file, and the flush behind each. */
function journaled(kind: string, after: number, before = Number.POSITIVE_INFINITY): SystemCall[] {
  const isJournal = ({ args }: SystemCall): boolean => pathOf(args).endsWith('.journal');
  const written = calls.find(
    (call) =>
      /write/u.test(call.name) && isJournal(call) && call.args.includes(kind) && call.began > after,
  );
  return calls.filter(
    (call) =>
      isFlush(call) &&
      isJournal(call) &&
      written !== undefined &&
      call.began > written.ended &&
      call.ended < before,
  );
}

describe('rule 10: flush, rename, flush the folder, then the journal', () => {
  it('a pack: every temporary is flushed before the first of them is renamed', () => {
    const renames = SMALL.map(publishing);
    const first = Math.min(...renames.map(({ rename }) => rename.began));
    for (const { partial } of renames) {
      const flushes = flushesOf(partial);
      expect(flushes.length).toBeGreaterThan(0);
      expect(flushes.every((flush) => flush.ended < first)).toBe(true);
    }
  });

  it.each([...SMALL.slice(0, 3), LARGE])('%s: its folder is flushed after its rename', (path) => {
    const { rename, partial } = publishing(path);
    expect(flushesOf(partial).some((flush) => flush.ended < rename.began)).toBe(true);
    const folder = flushesOf(dirname(join(to, path)));
    expect(folder.some((flush) => flush.began > rename.ended)).toBe(true);
  });

  it.each([SMALL[0] ?? '', LARGE])('%s: every new ancestor is flushed', (path) => {
    for (let folder = dirname(dirname(join(to, path))); ; folder = dirname(folder)) {
      expect(flushesOf(folder).length).toBeGreaterThan(0);
      if (folder === to) break;
    }
  });

  it('rule 15: the journal announces before the first rename, and is durable after the folders', () => {
    const renames = [...SMALL, LARGE].map((path) => publishing(path).rename);
    const packs = SMALL.map((path) => publishing(path).rename);
    const firstOfAll = Math.min(...renames.map(({ began }) => began));
    expect(journaled('publishing', -1, firstOfAll).length).toBeGreaterThan(0);
    const lastOfPack = Math.max(...packs.map(({ ended }) => ended));
    const folders = new Set(SMALL.map((path) => dirname(join(to, path))));
    const flushed = [...folders].map((folder) =>
      Math.min(
        ...flushesOf(folder).flatMap(({ began, ended }) => (began > lastOfPack ? ended : [])),
      ),
    );
    const durable = journaled('fetched', Math.max(...flushed));
    expect(durable.length).toBeGreaterThan(0);
  });

  it('rule 20: SHA256SUMS, then the manifest, then the receipt, each flushed first and its folder after', () => {
    const names = ['SHA256SUMS', 'manifest.ndjson', 'receipt.json'];
    const record = join(to, '.waybill');
    const sealed = names.map((name) => publishing(`.waybill/${name}`));
    for (const [index, { rename, partial }] of sealed.entries()) {
      expect(flushesOf(partial).some((flush) => flush.ended < rename.began)).toBe(true);
      const next = sealed[index + 1]?.rename.began ?? Number.POSITIVE_INFINITY;
      const folder = flushesOf(record).filter(
        (flush) => flush.began > rename.ended && flush.ended < next,
      );
      expect(folder.length).toBeGreaterThan(0);
    }
    const last = Math.max(...[...SMALL, LARGE].map((path) => publishing(path).rename.ended));
    expect(sealed[0]?.rename.began).toBeGreaterThan(last);
  });
});
