/** What a listing and its blobs are, at a real Azurite: folders that are blobs, kinds of blobs, digests, versions. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseListPage } from '../../../src/stores/azure-blob/list-page.js';
import type { Store } from '../../../src/stores/store.js';
import { startAzurite, type Azurite } from '../../helpers/azurite.js';
import { listAll, readAll } from '../conformance/expectations.js';
import { openAzure } from './testbed.js';

let azurite: Azurite;
let store: Store;

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
const FOLDER = { headers: { 'x-ms-meta-hdi_isfolder': 'true' } };

beforeAll(async () => {
  azurite = await startAzurite();
  await azurite.createContainer('data');
  await azurite.putBlob('data', 'hadoop', '', FOLDER);
  await azurite.putBlob('data', 'hadoop/part-0', 'zero');
  await azurite.putBlob('data', 'hadoop.txt', 'beside');
  await azurite.putBlob('data', 'empty', '', { headers: { 'x-ms-meta-Hdi_IsFolder': 'TRUE' } });
  await azurite.putBlob('data', 'slash/', '');
  await azurite.putBlob('data', 'kinds/block', 'a block');
  await azurite.putBlob('data', 'kinds/append', 'appended', { type: 'AppendBlob' });
  await azurite.putBlob('data', 'kinds/page', 'p'.repeat(1024), { type: 'PageBlob' });
  await azurite.putBlob('data', 'kinds/snapped', 'first');
  await azurite.call('PUT', 'data/kinds/snapped', { query: 'comp=snapshot' });
  await azurite.putBlob('data', 'kinds/snapped', 'second');
  await azurite.putBlob('data', 'kinds/gone', 'gone');
  await azurite.call('DELETE', 'data/kinds/gone');
  const id = Buffer.from('block-0').toString('base64');
  await azurite.call('PUT', 'data/kinds/uncommitted', {
    query: `comp=block&blockid=${encodeURIComponent(id)}`,
    body: Buffer.from('half'),
  });
  await azurite.call('PUT', 'data/kinds/blocks', {
    query: `comp=block&blockid=${encodeURIComponent(id)}`,
    body: Buffer.from('in blocks'),
  });
  await azurite.call('PUT', 'data/kinds/blocks', {
    query: 'comp=blocklist',
    body: Buffer.from(`<BlockList><Latest>${id}</Latest></BlockList>`),
  });
  await azurite.putBlob('data', 'kinds/zipped', 'not really gzip', {
    headers: { 'x-ms-blob-content-encoding': 'gzip' },
  });
  store = await openAzure(azurite, 'az://data');
}, 300_000);

afterAll(async () => {
  await store.close();
  await azurite.stop();
});

const shown = async (prefix: string, recursive: boolean): Promise<string[]> =>
  (await listAll(store, prefix, recursive)).map(
    ({ path, kind }) => `${path}${kind === 'directory' ? '/' : ''}`,
  );

describe('a blob that stands for a folder', () => {
  it('is a folder in a listing, once, and no file', async () => {
    expect((await shown('', false)).sort()).toEqual(
      ['empty/', 'hadoop.txt', 'hadoop/', 'kinds/', 'slash/'].sort(),
    );
    const all = await shown('', true);
    expect(all).toEqual(expect.arrayContaining(['empty/', 'hadoop/', 'hadoop/part-0', 'slash/']));
    expect(all).not.toContain('hadoop');
    expect(all).not.toContain('empty');
  });

  it('is a folder when asked about, and lists empty where nothing is below it', async () => {
    expect(await store.stat('hadoop')).toEqual({ path: 'hadoop', kind: 'directory' });
    expect(await store.stat('empty')).toEqual({ path: 'empty', kind: 'directory' });
    expect(await store.stat('empty/')).toEqual({ path: 'empty', kind: 'directory' });
    expect(await shown('empty', true)).toEqual([]);
    expect(await shown('hadoop', true)).toEqual(['hadoop/part-0']);
  });
});

describe('blobs', () => {
  it('of every kind are listed and read; snapshots, deleted and uncommitted ones are not', async () => {
    expect((await shown('kinds', true)).sort()).toEqual([
      'kinds/append',
      'kinds/block',
      'kinds/blocks',
      'kinds/page',
      'kinds/snapped',
      'kinds/zipped',
    ]);
    expect((await readAll(store, 'kinds/append')).toString()).toBe('appended');
    expect((await readAll(store, 'kinds/page')).toString()).toBe('p'.repeat(1024));
    expect((await readAll(store, 'kinds/snapped')).toString()).toBe('second');
    expect((await readAll(store, 'kinds/blocks')).toString()).toBe('in blocks');
    expect((await readAll(store, 'kinds/zipped')).toString()).toBe('not really gzip');
  });

  it('carry their MD5 in the listing, in stat, on the whole and on a range, and none where they have none', async () => {
    const listed = new Map((await listAll(store, 'kinds', true)).map((one) => [one.path, one]));
    const digests = { md5: md5('a block') };
    expect(listed.get('kinds/block')).toMatchObject({ digests, sizeBytes: 7 });
    const { pin, modifiedAt } = await store.stat('kinds/block');
    expect(listed.get('kinds/block')).toMatchObject({ pin, modifiedAt });
    expect(pin).toMatchObject({ strength: 'strong', value: expect.stringMatching(/^etag:".+"$/) });
    expect(await store.stat('kinds/block')).toMatchObject({ digests });
    for (const part of [{}, { offsetBytes: 2 }, { offsetBytes: 2, lengthBytes: 3 }]) {
      const opened = await store.openRead('kinds/block', part);
      opened.body.destroy();
      expect(opened.digests).toEqual(digests);
    }
    expect(listed.get('kinds/blocks')?.digests).toBeUndefined();
    const opened = await store.openRead('kinds/blocks', { offsetBytes: 1, lengthBytes: 2 });
    opened.body.destroy();
    expect(opened.digests).toBeUndefined();
  });

  it('that are replaced between the listing and a range are refused', async () => {
    await azurite.putBlob('data', 'changing/file', 'as it was listed');
    const [listed] = await listAll(store, 'changing', true);
    const pin = listed?.pin;
    if (pin === undefined) throw new Error('the listing has no pin');
    expect((await readAll(store, 'changing/file', { pin })).toString()).toBe('as it was listed');
    await azurite.putBlob('data', 'changing/file', 'of the same size');
    for (const part of [{}, { offsetBytes: 3, lengthBytes: 4 }]) {
      await expect(store.openRead('changing/file', { pin, ...part })).rejects.toMatchObject({
        code: 'WB_SOURCE_CHANGED',
      });
    }
  });
});

describe('a page of a listing', () => {
  const page = (blobs: string, more = ''): string =>
    `<?xml version="1.0" encoding="utf-8"?>\n<EnumerationResults><Prefix>x/</Prefix><Blobs>${blobs}</Blobs>${more}</EnumerationResults>`;

  it('decodes names that XML could not hold, only where it says so', () => {
    const found = parseListPage(
      page(
        '<Blob><Name Encoded="true">a%01%20b</Name></Blob><Blob><Name>c%20d &amp; e</Name></Blob>' +
          '<BlobPrefix><Name Encoded="true">f%02/</Name></BlobPrefix>',
      ),
    );
    expect(found?.objects.map(({ key }) => key)).toEqual(['a\u0001 b', 'c%20d & e']);
    expect(found?.prefixes).toEqual(['f\u0002/']);
  });

  it('knows the folders of a hierarchical namespace', () => {
    const folder =
      '<Blob><Name>dir</Name><Properties><ResourceType>directory</ResourceType><Content-Length>0</Content-Length></Properties></Blob>';
    expect(parseListPage(page(folder))?.objects[0]?.key).toBe('dir/');
  });

  it('says that there is more, even where it is empty itself', () => {
    expect(parseListPage(page('', '<NextMarker>2!88</NextMarker>'))).toEqual({
      objects: [],
      prefixes: [],
      nextToken: '2!88',
    });
    expect(parseListPage(page('', '<NextMarker />'))).toEqual({ objects: [], prefixes: [] });
  });

  it.each([['<html></html>'], [''], [page('<Blob><Name>a</Name></Blob>').slice(0, -15)]])(
    'is none: %j',
    (text) => expect(parseListPage(text)).toBeUndefined(),
  );
});
