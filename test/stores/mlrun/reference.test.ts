/** `store://` references, in the forms of every release. */
import { describe, expect, it } from '@jest/globals';
import { formatLocation, parseLocation } from '../../../src/stores/mlrun/location.js';
import { formatReference, parseReference, projectOf } from '../../../src/stores/mlrun/reference.js';

const artifact = { kind: 'artifact', prefix: 'artifacts' };

describe('a reference', () => {
  it.each([
    ['store://key', { ...artifact, key: 'key' }],
    ['store://p/key', { ...artifact, project: 'p', key: 'key' }],
    ['store:///p/key/', { ...artifact, project: 'p', key: 'key' }],
    ['store://artifacts/p/key', { ...artifact, project: 'p', key: 'key' }],
    ['store://models/p/m:v1', { ...artifact, prefix: 'models', project: 'p', key: 'm', tag: 'v1' }],
    [
      'store://datasets/p/d#0',
      { ...artifact, prefix: 'datasets', project: 'p', key: 'd', iter: 0 },
    ],
    [
      'store://documents/p/d@t',
      { ...artifact, prefix: 'documents', project: 'p', key: 'd', tree: 't' },
    ],
    [
      'store://artifacts/p/train-model:e95f757e-7959-4d66-b500-9f6cdb1f0bc7',
      {
        ...artifact,
        project: 'p',
        key: 'train-model',
        tag: 'e95f757e-7959-4d66-b500-9f6cdb1f0bc7',
      },
    ],
    [
      'store://models/p/m#3:v1@tree^uid',
      {
        ...artifact,
        prefix: 'models',
        project: 'p',
        key: 'm',
        iter: 3,
        tag: 'v1',
        tree: 'tree',
        uid: 'uid',
      },
    ],
    ['store://p/k^u', { ...artifact, project: 'p', key: 'k', uid: 'u' }],
    ['store://feature-sets/p/f', { kind: 'feature-sets', project: 'p', key: 'f' }],
    ['store://feature-sets/p/f:v1', { kind: 'feature-sets', project: 'p', key: 'f', tag: 'v1' }],
    ['store://feature-vectors/v@u', { kind: 'feature-vectors', key: 'v', uid: 'u' }],
  ])('%s', (uri, expected) => {
    expect(parseReference(uri)).toEqual(expected);
  });

  it.each([
    'store://',
    'store://models',
    'store://p/k#x',
    'store://a/b/k',
    'store://../k',
    'store://p/..',
    'store://feature-sets/p/f#1',
  ])('%s is refused with the form that is wanted', (uri) => {
    expect(() => parseReference(uri)).toThrow(/store:\/\/\[<kind>\/\]/u);
  });

  it('is written as it was read', () => {
    for (const uri of ['store://models/p/m#3:v1@tree^uid', 'store://feature-sets/p/f:v1']) {
      expect(formatReference({ ...parseReference(uri), project: 'p' })).toBe(uri);
    }
  });

  it('survives the address that is kept of it', () => {
    const reference = { ...parseReference('store://models/p/m#3@a-b'), project: 'p' };
    expect(reference).toMatchObject({ key: 'm', tree: 'a-b' });
    const uri = formatLocation(
      { reference, seal: 'abc', proxied: ['s3', 'file'] },
      'http://h:8080',
    );
    expect(uri).toMatch(/^mlrun:\/\/h:8080\/p\/models\/m\?/u);
    expect(parseLocation(uri)).toEqual({ reference, seal: 'abc', proxied: ['s3', 'file'] });
  });
});

describe('what asks for a list', () => {
  it.each([
    ['store://', { kind: 'project' }],
    ['store://p', { kind: 'project', project: 'p' }],
    ['store://models/p/', { kind: 'project', project: 'p', prefix: 'models' }],
    ['store://p/k', undefined],
    ['store://models/k', undefined],
  ])('%s', (uri, expected) => {
    expect(projectOf(uri)).toEqual(expected);
  });
});
