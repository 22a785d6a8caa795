import { execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import type { ObjectEntry } from '../../../src/model/object-entry.js';
import { guardPath } from '../../../src/model/object-path.js';
import { http } from '../../../src/stores/http/index.js';
import { parseHtmlIndex, parseJsonIndex } from '../../../src/stores/http/index-page.js';
import { sendAll, startCutServer } from '../../helpers/cut-server.js';
import type { CutServer } from '../../helpers/cut-server.js';
import { scratchFolder } from '../../helpers/processes.js';
import { openHttpStore, seedFolder, startApache, startNginx } from './servers.js';

let scripted: CutServer;
beforeAll(async () => {
  scripted = await startCutServer();
});
afterAll(() => scripted.stop());

async function list(uri: string): Promise<ObjectEntry[]> {
  const store = await openHttpStore(uri);
  try {
    const entries: ObjectEntry[] = [];
    for await (const entry of store.list('', { recursive: true })) entries.push(entry);
    return entries;
  } finally {
    await store.close();
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.catch((reason: unknown) => reason);
  return error instanceof WaybillError ? `${error.code}: ${error.message}` : String(error);
}

const HTML = { 'Content-Type': 'text/html' };
const index = (...links: string[]): string =>
  `<html><head><title>Index of /</title></head><body>${links
    .map((href) => `<a href="${href}">x</a>`)
    .join('\n')}</body></html>`;

describe('sizes and times in an index', () => {
  const files = [
    { path: 'empty.bin', bytes: Buffer.alloc(0) },
    { path: 'small.bin', bytes: Buffer.alloc(500) },
    { path: 'middle.bin', bytes: Buffer.alloc(123_456) },
    { path: 'large.bin', bytes: Buffer.alloc(3_000_001) },
  ];
  const sizesAt = async (uri: string): Promise<Record<string, number | undefined>> =>
    Object.fromEntries((await list(uri)).map(({ path, sizeBytes }) => [path, sizeBytes]));
  const exact = {
    'empty.bin': 0,
    'small.bin': 500,
    'middle.bin': 123_456,
    'large.bin': 3_000_001,
  };

  it('of nginx are exact, in HTML and in JSON', async () => {
    const root = scratchFolder('http-index');
    await seedFolder(root, files);
    const html = await startNginx({ root });
    expect(await sizesAt(`${html.url}/`)).toEqual(exact);
    await html.stop();
    const json = await startNginx({ root, location: 'autoindex_format json;' });
    expect(await sizesAt(`${json.url}/`)).toEqual(exact);
    for (const entry of await list(`${json.url}/`)) {
      expect(entry.modifiedAt).toMatch(/^2026-01-01T00:00:\d\d\.000Z$/);
    }
    await json.stop();
  });

  it('rule 11: rounded ones count as unknown (nginx without exact sizes, Apache)', async () => {
    const root = scratchFolder('http-index');
    await seedFolder(root, files);
    const known = { 'empty.bin': 0, 'small.bin': 500 };
    const nginx = await startNginx({ root, location: 'autoindex_exact_size off;' });
    const found = await sizesAt(`${nginx.url}/`);
    await nginx.stop();
    expect(found).toEqual({ ...known, 'middle.bin': undefined, 'large.bin': undefined });
    for (const indexOptions of ['FancyIndexing HTMLTable', 'FancyIndexing']) {
      const apache = await startApache({ root, indexOptions });
      const sizes = await sizesAt(`${apache.url}/`);
      await apache.stop();
      expect(sizes).toEqual({ ...known, 'middle.bin': undefined, 'large.bin': undefined });
    }
  });

  it('are not taken from a description that begins like a size', () => {
    const row = (after: string): string =>
      `<title>Index of /</title><a href="a">a</a> 2026-11-21 13:04  ${after}`;
    const folder = new URL('http://h/');
    expect(parseHtmlIndex(row('500 the weights'), folder)?.[0]?.sizeBytes).toBe(500);
    expect(parseHtmlIndex(row('121 KiB'), folder)?.[0]?.sizeBytes).toBeUndefined();
    expect(parseHtmlIndex(row('1.2K'), folder)?.[0]?.sizeBytes).toBeUndefined();
    expect(parseHtmlIndex(row('  - '), folder)?.[0]?.sizeBytes).toBeUndefined();
  });
});

describe('rule 21: hostile links', () => {
  it('that lead elsewhere are passed over', async () => {
    const links = [
      '../',
      '..',
      '/',
      './',
      '',
      '/tree',
      '/treeother/x',
      '../../etc/passwd',
      'a/../../x',
      'deep/below.txt',
      '//evil.example/x',
      'http://evil.example/tree/x',
      'javascript:alert(1)',
      'data:text/plain,x',
      '?C=N;O=D',
      'x?download=1',
      '#top',
      'ok.bin',
      './a:b.bin',
      '/tree/absolute.bin',
      `${scripted.url}/tree/same-origin.bin`,
      'ok.bin',
    ];
    scripted.serve('/tree/', sendAll(index(...links), HTML));
    expect((await list(`${scripted.url}/tree/`)).map(({ path }) => path)).toEqual([
      'a:b.bin',
      'absolute.bin',
      'ok.bin',
      'same-origin.bin',
    ]);
  });

  it('that decode to a hostile name are listed for the path guard, and never entered', async () => {
    const names = [
      '%2e%2e/',
      '..%2f..%2fetc%2fpasswd',
      '..%5c..%5cx',
      'a%00b',
      'caf%e9',
      '%2e%2e%2fup/',
    ];
    scripted.serve('/tree/', sendAll(index(...names, 'good.bin'), HTML));
    const before = scripted.requests.length;
    const entries = await list(`${scripted.url}/tree/`);
    expect(scripted.requests.length - before).toBe(1);
    expect(entries).toHaveLength(7);
    const refused = entries.filter(({ path }) => {
      try {
        guardPath(path);
        return false;
      } catch {
        return true;
      }
    });
    expect(refused).toHaveLength(6);
    expect(refused.every(({ kind }) => kind === 'file')).toBe(true);
    const store = await openHttpStore(`${scripted.url}/tree/`);
    for (const path of ['..', '../../etc/passwd', 'a/../b', 'caf\udce9', 'a//b', '/abs']) {
      expect([path, (await codeOf(store.openRead(path))).split(':')[0]]).toEqual([
        path,
        'WB_UNSAFE_PATH',
      ]);
    }
    expect(scripted.requests.length - before).toBe(1);
    await store.close();
  });

  it('in JSON are treated alike', () => {
    const page = [
      { name: '../x', type: 'file', size: 1 },
      { name: 'device', type: 'other' },
      { name: 'a', type: 'file', size: 1, mtime: 'Sat, 21 Nov 2026 13:04:24 GMT' },
    ];
    const found = parseJsonIndex(JSON.stringify(page));
    expect(found?.map(({ name }) => name)).toEqual(['../x', 'device', 'a']);
    expect(found?.filter(({ isSpecial }) => isSpecial).map(({ name }) => name)).toEqual(['device']);
    for (const text of ['{}', 'x', '[{"name":""}]', '[{"name":"a","type":"file","size":-1}]']) {
      expect(parseJsonIndex(text)).toBeUndefined();
    }
  });
});

describe('rule 24: a listing that lists itself', () => {
  it('ends on a real server with a link in circles', async () => {
    const root = scratchFolder('http-index');
    writeFileSync(join(root, 'a.bin'), 'a');
    symlinkSync('.', join(root, 'again'));
    const nginx = await startNginx({ root });
    expect(await codeOf(list(`${nginx.url}/`))).toMatch(/^WB_LIMIT_EXCEEDED: .*lists itself/);
    expect(nginx.accessLog().length).toBeLessThan(20);
    await nginx.stop();
  });

  it('does not forbid equal folders, one in the other', async () => {
    const root = scratchFolder('http-index');
    const path = `${'data/'.repeat(7)}x.bin`;
    await seedFolder(root, [{ path, bytes: Buffer.from('x') }]);
    const nginx = await startNginx({ root });
    const entries = await list(`${nginx.url}/`);
    expect(entries.at(-1)).toMatchObject({ path, kind: 'file' });
    await nginx.stop();
  });

  it('ends where every folder has another one', async () => {
    scripted.serveRest(({ path }) => sendAll(index(`d${path.split('/').length}/`), HTML));
    expect(await codeOf(list(`${scripted.url}/endless/`))).toMatch(
      /^WB_LIMIT_EXCEEDED: .*nested deeper than 256 folders/,
    );
    scripted.serveRest({ status: 404 });
  });
});

describe('a page that is no index', () => {
  it('is a sign-in page where an index was asked for', async () => {
    scripted.serve('/page/', sendAll('<title>Sign in</title><a href="a.bin">a</a>', HTML));
    expect(await codeOf(list(`${scripted.url}/page/`))).toMatch(/^WB_SIGN_IN_PAGE: /);
    const store = await openHttpStore(`${scripted.url}/page/`);
    expect(await codeOf(store.stat(''))).toMatch(/^WB_SIGN_IN_PAGE: /);
    await store.close();
  });

  it('is not taken for one because it holds files', async () => {
    scripted.serve('/data/', sendAll('bytes', { 'Content-Type': 'application/octet-stream' }));
    expect(await codeOf(list(`${scripted.url}/data/`))).toMatch(/^WB_UNSUPPORTED: .*leave out the/);
  });

  it('fails the listing when a subfolder cannot be listed: it is never left out', async () => {
    scripted.serve('/partly/', sendAll(index('a.bin', 'closed/'), HTML));
    scripted.serve('/partly/closed/', { status: 403 });
    expect(await codeOf(list(`${scripted.url}/partly/`))).toMatch(/^WB_PERMISSION_DENIED: /);
  });

  it('says that a folder needs its slash', async () => {
    const root = scratchFolder('http-index');
    await seedFolder(root, [{ path: 'churn/model.bin', bytes: Buffer.from('x') }]);
    const nginx = await startNginx({ root, server: 'absolute_redirect off;' });
    const store = await openHttpStore(`${nginx.url}/churn`);
    expect(await store.stat('')).toMatchObject({ kind: 'directory' });
    expect(await codeOf(store.openRead(''))).toMatch(/^WB_SIGN_IN_PAGE: .*end the address with \//);
    await store.close();
    await nginx.stop();
  });
});

describe('a list of files', () => {
  const seeds = [
    { path: 'churn/config.json', bytes: Buffer.from('{}') },
    { path: 'churn/.hidden', bytes: Buffer.from('hidden') },
    { path: 'churn/weights/part 1 #%.bin', bytes: Buffer.from('weights') },
    { path: 'churn/weights/two\nlines.bin', bytes: Buffer.from('lines') },
    { path: 'churn/not-listed.txt', bytes: Buffer.from('x') },
  ];
  const paths = ['.hidden', 'config.json', 'weights/part 1 #%.bin', 'weights/two\nlines.bin'];

  it('is a SHA256SUMS made by sha256sum: its files, with their digests', async () => {
    const root = scratchFolder('http-list');
    await seedFolder(root, seeds);
    const files = [...paths].reverse();
    const sums = execFileSync('sha256sum', files, { cwd: join(root, 'churn') });
    writeFileSync(join(root, 'churn/SHA256SUMS'), sums);
    const nginx = await startNginx({ root });
    const uri = `${nginx.url}/churn/SHA256SUMS`;
    const entries = await list(uri);
    expect(entries.map(({ path }) => path)).toEqual(paths);
    expect(http.localName(uri)).toBe('churn');
    const store = await openHttpStore(uri);
    expect(await store.stat('')).toEqual({ path: '', kind: 'directory' });
    expect(await store.stat('weights/')).toEqual({ path: 'weights', kind: 'directory' });
    for (const { path, digests } of entries) {
      expect(digests?.sha256).toMatch(/^[0-9a-f]{64}$/);
      const opened = await store.openRead(path);
      opened.body.destroy();
      expect(opened.digests).toEqual(digests);
      const stat = await store.stat(path);
      expect(stat).toMatchObject({ path, kind: 'file', digests });
      expect(stat.sizeBytes).toBe(readFileSync(join(root, 'churn', path)).length);
    }
    expect(await codeOf(store.openRead('not-listed.txt'))).toMatch(
      /^WB_NOT_FOUND: .*does not list/,
    );
    const level: string[] = [];
    for await (const entry of store.list('', { recursive: false })) level.push(entry.path);
    expect(level).toEqual(['.hidden', 'config.json', 'weights']);
    await store.close();
    const own = await (await openHttpStore(uri)).openRead('');
    own.body.destroy();
    expect(own.sizeBytes).toBe(sums.length);
    const itself = await openHttpStore(`${uri}?`);
    expect(await itself.stat('')).toMatchObject({ kind: 'file', sizeBytes: sums.length });
    await itself.close();
    await nginx.stop();
  });

  it('is a manifest in .waybill: the files beside that folder, with sizes', async () => {
    const root = scratchFolder('http-list');
    await seedFolder(root, seeds);
    const line = JSON.stringify({
      path: 'config.json',
      sizeBytes: 2,
      sha256: '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
      level: 'size',
      comparedDigests: [],
      attempts: 1,
    });
    await seedFolder(root, [
      { path: 'churn/.waybill/manifest.ndjson', bytes: Buffer.from(`${line}\n`) },
    ]);
    const nginx = await startNginx({ root });
    const uri = `${nginx.url}/churn/.waybill/manifest.ndjson`;
    expect(http.localName(uri)).toBe('churn');
    const store = await openHttpStore(uri);
    expect(store.capabilities.knowsSizes).toBe(true);
    expect(await list(uri)).toMatchObject([{ path: 'config.json', sizeBytes: 2 }]);
    const { body } = await store.openRead('config.json');
    body.destroy();
    await store.close();
    await nginx.stop();
  });

  it('rule 21: with hostile names gives them to the path guard, and asks for none', async () => {
    const digest = 'a'.repeat(64);
    const text = ['../up', '/etc/passwd', 'a/../../b', 'good'].map(
      (path) => `${digest}  ${path}\n`,
    );
    scripted.serve('/l/SHA256SUMS', sendAll(text.join('')));
    expect((await list(`${scripted.url}/l/SHA256SUMS`)).map(({ path }) => path)).toEqual([
      '../up',
      '/etc/passwd',
      'a/../../b',
      'good',
    ]);
    const store = await openHttpStore(`${scripted.url}/l/SHA256SUMS`);
    expect(await codeOf(store.openRead('../up'))).toMatch(/^WB_UNSAFE_PATH: /);
    await store.close();
  });

  it.each([
    ['text/plain', 'not a checksum in sight', /^WB_UNSUPPORTED: .*write \? at the end/],
    ['text/html', '<title>Sign in</title>', /^WB_SIGN_IN_PAGE: /],
  ])('that is %s and none is refused', async (type, body, expected) => {
    scripted.serve('/l/SHA256SUMS', sendAll(body, { 'Content-Type': type }));
    expect(await codeOf(list(`${scripted.url}/l/SHA256SUMS`))).toMatch(expected);
  });

  it('rule 11: that is cut is no shorter list', async () => {
    const text = `${'a'.repeat(64)}  a\n${'b'.repeat(64)}  b\n`;
    scripted.serve('/l/SHA256SUMS', { body: text, cutAfterBytes: 67 });
    expect(await codeOf(list(`${scripted.url}/l/SHA256SUMS`))).toMatch(/^WB_UNAVAILABLE: /);
  });
});

describe('rule 11: an answer whose end only the connection tells', () => {
  it('is a whole index with its last tag, and a broken one without', async () => {
    const page = index('a.bin', 'b.bin');
    const reply = { headers: HTML, framing: 'close' } as const;
    scripted.serve('/http10/', { ...reply, body: page });
    expect(await list(`${scripted.url}/http10/`)).toHaveLength(2);
    scripted.serve('/http10/', { ...reply, body: page, cutAfterBytes: page.length - 30 });
    expect(await codeOf(list(`${scripted.url}/http10/`))).toMatch(/^WB_UNAVAILABLE: .*broke off/);
  });

  it('is no list of files', async () => {
    scripted.serve('/l/SHA256SUMS', { body: `${'a'.repeat(64)}  a\n`, framing: 'close' });
    expect(await codeOf(list(`${scripted.url}/l/SHA256SUMS`))).toMatch(/^WB_UNPROVEN_LENGTH: /);
  });
});

describe('the name of what an address brings', () => {
  it.each([
    ['https://h/models/churn/', 'churn'],
    ['https://h/models/model.bin?versionId=3#x', 'model.bin'],
    ['https://h/a%20b%2520.bin', 'a b%20.bin'],
    ['https://h/x/SHA256SUMS', 'x'],
    ['https://h/x/SHA256SUMS?', 'SHA256SUMS'],
    ['https://h/', undefined],
    ['https://h', undefined],
    ['https://h/SHA256SUMS', undefined],
    ['https://h/a%2Fb', undefined],
    ['https://h/%00', undefined],
    ['https://', undefined],
  ])('%s: %s', (uri, name) => {
    expect(http.localName(uri)).toBe(name);
  });

  it.each(['http://', 'https:///x', 'http://h:99999/'])('%s is no address', async (uri) => {
    expect(await codeOf(http.open({ uri, settings: {}, secrets: {} }))).toMatch(/^WB_USAGE: /);
  });
});
