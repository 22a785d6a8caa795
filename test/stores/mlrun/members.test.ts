/** Which files a record stands for; records lie, and name what is not theirs. */
import { describe, expect, it } from '@jest/globals';
import { membersOf } from '../../../src/stores/mlrun/members.js';
import type { Member } from '../../../src/stores/mlrun/members.js';
import { readRecord } from '../../../src/stores/mlrun/record.js';
import { parseReference } from '../../../src/stores/mlrun/reference.js';

const SHA1 = 'd337c8de40165c7c43225cfbfc1254338cefab44';

function members(said: object, uri = 'store://p/k'): readonly Member[] {
  const reference = { ...parseReference(uri), project: 'p' };
  return membersOf({ reference, record: readRecord(said, 'it'), api: 'v2' });
}

const model = (spec: object): object => ({
  kind: 'model',
  metadata: { key: 'm', hash: SHA1 },
  spec: { target_path: 's3://bucket/m/', model_file: 'm.pkl', size: 500, ...spec },
});

describe('a model', () => {
  it('is its file, its specification and what its extra_data names', () => {
    const extra_data = {
      'plot.html': 's3://bucket/m/plots/plot.html',
      near: 'near.txt',
      far: 'https://host/a/far.csv',
      'same.bin': 's3://other/same.bin',
      number: 3,
    };
    expect(members(model({ extra_data }))).toEqual([
      { path: 'm.pkl', target: 's3://bucket/m/m.pkl', sizeBytes: 500, sha1: SHA1 },
      { path: 'plots/plot.html', target: 's3://bucket/m/plots/plot.html' },
      { path: 'near.txt', target: 's3://bucket/m/near.txt' },
      { path: 'far/far.csv', target: 'https://host/a/far.csv' },
      { path: 'same.bin', target: 's3://other/same.bin' },
      { path: 'model_spec.yaml', target: 's3://bucket/m/model_spec.yaml', isOptional: true },
    ]);
  });

  it('keeps its name where it lies under the hash of its bytes', () => {
    const [file] = members(model({ model_target_file: 'c0ffee.pkl' }));
    expect(file).toMatchObject({ path: 'm.pkl', target: 's3://bucket/m/c0ffee.pkl' });
  });

  it.each([
    ['../../etc/passwd'],
    ['s3://bucket/m/../../x'],
    ['/v3io/../etc/passwd'],
    ['a/./b'],
    ['x\\..\\y'],
    ['%2e%2e/x'],
  ])('rule 21: %s in extra_data is refused', (value) => {
    expect(() => members(model({ extra_data: { key: value } }))).toThrow(/is refused/u);
  });

  it('rule 21: so is a model_file, and a name that the record gives to another place', () => {
    expect(() => members(model({ model_file: '../m.pkl' }))).toThrow(/is refused/u);
    const named = { extra_data: { '../up': 's3://other/x.bin' } };
    expect(() => members(model(named))).toThrow(/is refused/u);
  });

  it('rule 22: two files of one name are refused', () => {
    const extra_data = { 'x.bin': 's3://one/x.bin', near: 'x.bin' };
    expect(() => members(model({ extra_data }))).toThrow(/two files of the model would be x\.bin/u);
  });
});

describe('another record', () => {
  it('is its target, held to its size and its hash where they are known', () => {
    const spec = { target_path: '/data/x.csv', size: 6 };
    expect(members({ kind: 'plot', spec })).toEqual([
      { path: '', target: '/data/x.csv', sizeBytes: 6 },
    ]);
    // Nobody knew how large it is.
    const unknown = { ...spec, size: 0 };
    expect(members({ kind: 'dataset', spec: unknown })).toEqual([
      { path: '', target: '/data/x.csv' },
    ]);
    expect(members({ kind: 'dataset', metadata: { hash: SHA1 }, spec })).toEqual([
      { path: '', target: '/data/x.csv', sizeBytes: 6, sha1: SHA1 },
    ]);
  });

  it('may be of the form of old, with all fields side by side, or in an envelope', () => {
    const old = {
      kind: 'model',
      key: 'm',
      target_path: 'gs://b/m',
      model_file: 'm.bin',
      hash: SHA1,
      size: 1,
    };
    const [file] = members({ data: old });
    expect(file).toEqual({ path: 'm.bin', target: 'gs://b/m/m.bin', sizeBytes: 1, sha1: SHA1 });
  });

  it('may hold its text itself', () => {
    expect(members({ spec: { inline: 'text' } })).toEqual([
      { path: '', target: '', inline: 'text' },
    ]);
  });

  it('without a target is not found', () => {
    expect(() => members({ spec: {} })).toThrow(/has no target_path/u);
  });
});

describe('features', () => {
  const of = (targets: object[]): object => ({ metadata: { name: 'f' }, status: { targets } });
  const uri = 'store://feature-sets/p/f';

  it('are their offline data, each ingestion in its folder', () => {
    const parquet = { name: 'pq', kind: 'parquet', path: 's3://b/f/{run_id}/', run_id: '17_8' };
    const nosql = { name: 'nosql', kind: 'nosql', path: 'v3io:///projects/f' };
    expect(members(of([nosql, parquet]), uri)).toEqual([{ path: '', target: 's3://b/f/17_8/' }]);
    const csv = { name: 'csv', kind: 'csv', path: 's3://b/f.csv' };
    expect(members(of([csv, parquet]), uri).map(({ path }) => path)).toEqual(['csv', 'pq']);
  });

  it('without any say what there is, and how to make some', () => {
    const nosql = { name: 'online', kind: 'nosql', path: 'v3io:///projects/f' };
    expect(() => members(of([nosql]), uri)).toThrow(/no offline data.*online.*ingest/u);
    const vector = 'store://feature-vectors/p/f';
    expect(() => members(of([]), vector)).toThrow(/get_offline_features/u);
  });
});
