import { describe, expect, it } from '@jest/globals';
import { coversUri } from '../../src/model/artifact-uri.js';

describe('rule 4: a prefix', () => {
  it.each([
    ['s3://ml/churn', 's3a://ml/churn/1', true],
    ['s3://ml/churn/', 's3://ml/churn', true],
    ['s3://ml/churn', 's3://ml/churn-2', false],
    ['models:/churn', 'models:/churn@champion', true],
    ['models:/churn', 'models:/churn/3', true],
    ['models:/churn', 'models:/churn2/3', false],
    ['https://h/a', 'https://h/a/../b', false],
    ['https://h', 'https://h.evil/x', false],
    ['https://h/a', 'https://h:443/a/b?x', true],
    ['gs://ml/churn', 'gcs://ml/churn/1', true],
    ['ftp://h/ml', 'ftp://h/ml/churn..v2/model.bin', true],
    ['ftp://h/ml', 'ftp://h/ml/../private/key', false],
    ['sftp://h/ml', 'sftp://h/ml/%2e%2e/private/key', false],
    ['ftp://h/ml', 'ftp://h/ml/churn%2F..%2F..%2Fprivate', false],
  ])('%s covers %s: %s', (prefix, uri, isCovered) => {
    expect(coversUri(prefix, uri)).toBe(isCovered);
  });
});
