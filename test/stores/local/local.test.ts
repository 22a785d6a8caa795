import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import type { ObjectEntry } from '../../../src/model/object-entry.js';
import { compareByBytes, guardPath } from '../../../src/model/object-path.js';
import { StoreRegistry } from '../../../src/stores/registry.js';
import type { ListOptions, Store, WholeReadOptions } from '../../../src/stores/store.js';
import { lookAtHost } from '../../../src/transfer/thread/look-at.js';
import { scratchFolder } from '../../helpers/processes.js';

let base: string;
let root: string;
let store: Store;

beforeEach(async () => {
  base = scratchFolder('local');
  root = join(base, 'source');
  mkdirSync(root);
  store = await new StoreRegistry().open({ uri: root, settings: {}, secrets: {} });
});
afterEach(async () => {
  await store.close();
  rmSync(base, { recursive: true });
});

async function list(options: Omit<ListOptions, 'recursive'> = {}): Promise<ObjectEntry[]> {
  const entries: ObjectEntry[] = [];
  for await (const entry of store.list('', { ...options, recursive: true })) entries.push(entry);
  return entries;
}

async function read(path: string): Promise<string> {
  const { body } = await store.openRead(path);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.catch((reason: unknown) => reason);
  return error instanceof WaybillError ? error.code : `no error of ours: ${String(error)}`;
}

describe('links', () => {
  it('rule 24: a link inside the root is followed and copied', async () => {
    mkdirSync(join(root, 'blobs'));
    writeFileSync(join(root, 'blobs/a'), 'weights');
    symlinkSync('blobs/a', join(root, 'model.bin'));
    symlinkSync('blobs', join(root, 'alias'));
    expect((await list()).map((entry) => [entry.path, entry.kind, entry.sizeBytes])).toEqual([
      ['alias', 'directory', undefined],
      ['alias/a', 'file', 7],
      ['blobs', 'directory', undefined],
      ['blobs/a', 'file', 7],
      ['model.bin', 'file', 7],
    ]);
    expect(await read('model.bin')).toBe('weights');
    expect(await read('alias/a')).toBe('weights');
  });

  it('rule 24: a link that leads out fails that file, and only it', async () => {
    writeFileSync(join(base, 'secret'), 'not yours');
    mkdirSync(join(base, 'source-other'));
    symlinkSync('../secret', join(root, 'out.txt'));
    symlinkSync('../source-other', join(root, 'sibling'));
    symlinkSync('/etc', join(root, 'etc'));
    symlinkSync('nowhere', join(root, 'dangling'));
    writeFileSync(join(root, 'good.txt'), 'good');
    const entries = await list();
    expect(entries.map(({ path }) => path)).toEqual([
      'dangling',
      'etc',
      'good.txt',
      'out.txt',
      'sibling',
    ]);
    for (const path of ['out.txt', 'sibling', 'etc', 'etc/passwd', '../secret']) {
      expect([path, await codeOf(store.openRead(path))]).toEqual([path, 'WB_UNSAFE_PATH']);
    }
    expect(await codeOf(store.openRead('dangling'))).toBe('WB_NOT_FOUND');
    expect(await read('good.txt')).toBe('good');
  });

  it('rule 24: a link in circles ends, and fails that file', async () => {
    mkdirSync(join(root, 'a/b'), { recursive: true });
    symlinkSync('..', join(root, 'a/b/up'));
    symlinkSync('loop', join(root, 'loop'));
    symlinkSync('.', join(root, 'self'));
    expect((await list()).map(({ path }) => path)).toEqual(['a', 'a/b', 'a/b/up', 'loop', 'self']);
    for (const path of ['a/b/up', 'loop', 'self']) {
      expect([path, await codeOf(store.openRead(path))]).toEqual([path, 'WB_UNSAFE_PATH']);
    }
  });
});

it('rule 24: FIFOs and devices are listed as what they are, and never opened', async () => {
  execFileSync('mkfifo', [join(root, 'pipe')]);
  symlinkSync('pipe', join(root, 'link-to-pipe'));
  writeFileSync(join(root, 'file'), 'x');
  expect((await list()).map(({ path, kind, special }) => [path, kind, special])).toEqual([
    ['file', 'file', undefined],
    ['link-to-pipe', 'special', 'fifo'],
    ['pipe', 'special', 'fifo'],
  ]);
  expect(await codeOf(store.openRead('pipe'))).toBe('WB_UNSUPPORTED');
  expect(await codeOf(store.stat('link-to-pipe'))).toBe('WB_UNSUPPORTED');
});

it('rule 24: folders without end are refused at the depth that is allowed', async () => {
  mkdirSync(join(root, 'd/'.repeat(255)), { recursive: true });
  expect(await list()).toHaveLength(255);
  mkdirSync(join(root, 'd/'.repeat(257)), { recursive: true });
  await expect(list()).rejects.toMatchObject({
    code: 'WB_LIMIT_EXCEEDED',
    message: expect.stringContaining('nested deeper than 256 folders'),
  });
});

it('rule 24: a listing is the same whoever looks at its many names', async () => {
  for (let index = 0; index < 600; index += 1) {
    writeFileSync(join(root, `file-${index}`), 'x'.repeat(index), {
      mode: index % 2 ? 0o755 : 0o644,
    });
  }
  mkdirSync(join(root, 'folder'));
  writeFileSync(join(root, 'folder/inside'), 'x');
  symlinkSync('folder', join(root, 'link'));
  symlinkSync('/etc/passwd', join(root, 'out'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  utimesSync(join(root, 'file-7'), -86_400, -86_400);
  const asked: string[] = [];
  const elsewhere = await list({
    lookAtHost: (paths) => {
      asked.push(...paths);
      return lookAtHost({ paths });
    },
  });
  // A pin becomes strong with time.
  const values = (entries: ObjectEntry[]): unknown[] =>
    entries.map((entry) => ({ ...entry, pin: entry.pin?.value }));
  expect(values(elsewhere)).toEqual(values(await list()));
  expect(elsewhere).toHaveLength(606);
  expect(asked).toContain(join(root, 'file-599'));
});

it('lists in byte order of the whole paths, folders included', async () => {
  for (const folder of ['a', 'a b', 'é', '\uff5e', '\u{10000}']) {
    mkdirSync(join(root, folder));
    writeFileSync(join(root, folder, 'x'), '');
    writeFileSync(join(root, `${folder}.txt`), '');
    writeFileSync(join(root, `${folder}0`), '');
  }
  const paths = (await list()).map(({ path }) => path);
  expect(paths).toHaveLength(20);
  expect(paths).toEqual([...paths].sort(compareByBytes));
});

it('tells the executable bit and the modification time', async () => {
  writeFileSync(join(root, 'run.sh'), 'x');
  chmodSync(join(root, 'run.sh'), 0o755);
  writeFileSync(join(root, 'data'), 'x');
  expect(await store.stat('run.sh')).toMatchObject({ isExecutable: true });
  expect(await store.stat('data')).toMatchObject({ isExecutable: false });
});

describe('a file that changes while it is read', () => {
  it.each([
    ['grows', (path: string) => appendFileSync(path, 'more')],
    ['shrinks', (path: string) => writeFileSync(path, 'short')],
    ['is rewritten', (path: string) => writeFileSync(path, Buffer.alloc(8 * 1024 * 1024, 2))],
  ])('rule 12: and %s is refused as changed', async (_, change) => {
    const path = join(root, 'big.bin');
    writeFileSync(path, Buffer.alloc(8 * 1024 * 1024, 1));
    const { body } = await store.openRead('big.bin');
    let isChanged = false;
    const reading = (async () => {
      for await (const chunk of body) {
        if (!isChanged && chunk !== undefined) change(path);
        isChanged = true;
      }
    })();
    expect(await codeOf(reading)).toBe('WB_SOURCE_CHANGED');
  });
});

it('rule 21: a name that is no UTF-8 is listed, and refused by the path guard', async () => {
  writeFileSync(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.from([0xe9])]), 'x');
  writeFileSync(join(root, 'good \ufffd'), 'y');
  const paths = (await list()).map(({ path }) => path);
  expect(paths).toHaveLength(2);
  const odd = paths.find((path) => path.startsWith('caf')) ?? '';
  expect(() => guardPath(odd)).toThrow(/not valid Unicode/);
  expect(await codeOf(store.openRead(odd))).toBe('WB_UNSAFE_PATH');
  expect(await read('good \ufffd')).toBe('y');
});

describe('forms of a source', () => {
  const registry = new StoreRegistry();
  const rootOf = async (uri: string): Promise<string> =>
    (await registry.open({ uri, settings: {}, secrets: {} })).root;

  it('are a plain path as it is, and a file: URI decoded once', async () => {
    expect(await rootOf('/data/a%20b/')).toBe('/data/a%20b');
    expect(await rootOf('file:///data/a%20b')).toBe('/data/a b');
    expect(await rootOf('file:/data/100%2525')).toBe('/data/100%25');
    expect(await rootOf('file://localhost/data')).toBe('/data');
  });

  it.each(['file://nas/share', 'models/churn', 'file:relative', 'file:///a?b', 'file:///a%zz'])(
    'do not include %s',
    async (uri) => {
      expect(await codeOf(rootOf(uri))).toBe('WB_USAGE');
    },
  );

  it('give a local name', () => {
    const { localName } = registry.factoryOf('/x');
    expect(localName('/data/churn/')).toBe('churn');
    expect(localName('file:///data/a%20b.bin')).toBe('a b.bin');
    expect(localName('/')).toBeUndefined();
  });
});

describe('reading a small file at once', () => {
  const readWhole = (path: string, options: Partial<WholeReadOptions> = {}) =>
    store.readWhole?.(path, { maxBytes: 1_000, ...options });

  it('gives what openRead gives, once a file was opened', async () => {
    mkdirSync(join(root, 'deep'));
    writeFileSync(join(root, 'deep/a'), 'weights');
    writeFileSync(join(root, 'empty'), '');
    expect(readWhole('deep/a')).toBeUndefined();
    const { body, ...opened } = await store.openRead('deep/a');
    body.destroy();
    const { offsetBytes: _, lengthBytes: __, ...expected } = opened;
    // The clock goes on between the two: it tells when they were, and how old the file is.
    const later = {
      answeredAt: expect.any(String),
      pin: { value: opened.pin?.value, strength: expect.any(String) },
    };
    const bytes = Buffer.from('weights');
    expect(readWhole('deep/a')).toEqual({ ...expected, ...later, bytes });
    expect(readWhole('empty')).toMatchObject({ sizeBytes: 0, ending: 'length' });
  });

  it('rules 12 and 24: leaves to openRead what is long, changed, linked, special or outside', async () => {
    writeFileSync(join(base, 'secret'), 'not yours');
    mkdirSync(join(root, 'folder'));
    writeFileSync(join(root, 'folder/a'), 'weights');
    symlinkSync('a', join(root, 'folder/link'));
    symlinkSync('folder', join(root, 'alias'));
    symlinkSync('..', join(root, 'out'));
    execFileSync('mkfifo', [join(root, 'pipe')]);
    const { body, pin } = await store.openRead('folder/a');
    body.destroy();
    expect(readWhole('folder/a', pin === undefined ? {} : { pin })).toBeDefined();
    const refused = [
      'folder/link',
      'alias/a',
      'out/secret',
      '../secret',
      'pipe',
      'folder',
      '',
      'none',
    ];
    expect(refused.map((path) => readWhole(path))).toEqual(refused.map(() => undefined));
    expect(readWhole('folder/a', { maxBytes: 6 })).toBeUndefined();
    appendFileSync(join(root, 'folder/a'), '!');
    expect(readWhole('folder/a', pin === undefined ? {} : { pin })).toBeUndefined();
  });

  it('rules 12 and 24: by a strong pin it gives the very file that was listed, and nothing else', async () => {
    // Only time makes the pin of a file strong.
    const later = Date.now() + 10_000;
    const clock = jest.spyOn(Date, 'now').mockReturnValue(later);
    try {
      mkdirSync(join(root, 'settled'));
      writeFileSync(join(root, 'settled/a'), 'weights');
      writeFileSync(join(root, 'settled/b'), 'weights');
      const { body } = await store.openRead('settled/b');
      body.destroy();
      const { pin } = await store.stat('settled/a');
      expect(pin?.strength).toBe('strong');
      const pinned = pin === undefined ? {} : { pin };
      expect(readWhole('settled/a', pinned)).toMatchObject({ bytes: Buffer.from('weights'), pin });
      expect(readWhole('settled/b', pinned)).toBeUndefined();
      expect(readWhole('out/secret', pinned)).toBeUndefined();
      expect(readWhole('settled/a', { ...pinned, maxBytes: 6 })).toBeUndefined();
      writeFileSync(join(root, 'settled/a'), 'changed');
      expect(readWhole('settled/a', pinned)).toBeUndefined();
    } finally {
      clock.mockRestore();
    }
  });
});
