import { describe, expect, it } from '@jest/globals';
import type { WaybillError } from '../../../src/model/errors.js';
import { mlflowFactory } from '../../../src/stores/mlflow/index.js';
import { formatLocation, parseLocation } from '../../../src/stores/mlflow/location.js';
import { unservable } from '../../../src/stores/mlflow/names.js';
import { applyPageUrl, fromPageUrl } from '../../../src/stores/mlflow/page-url.js';
import { parseReference } from '../../../src/stores/mlflow/references.js';

const MODEL_ID = 'm-92f69dc4a20e479dacbb90ef354d14d3';

describe('a reference', () => {
  it.each([
    ['runs:/abc', { kind: 'run', runId: 'abc', path: '' }],
    ['runs:/abc/model/', { kind: 'run', runId: 'abc', path: 'model' }],
    ['runs:/abc/a b/c%20d', { kind: 'run', runId: 'abc', path: 'a b/c%20d' }],
    ['models:/churn/3', { kind: 'model', by: 'version', name: 'churn', version: '3', path: '' }],
    [
      'models:/churn/3/data/x.bin',
      { kind: 'model', by: 'version', name: 'churn', version: '3', path: 'data/x.bin' },
    ],
    ['models:/churn/Latest', { kind: 'model', by: 'latest', name: 'churn', path: '' }],
    [
      'models:/churn/Production/x',
      { kind: 'model', by: 'stage', name: 'churn', stage: 'Production', path: 'x' },
    ],
    [
      'models:/churn@champion',
      { kind: 'model', by: 'alias', name: 'churn', alias: 'champion', path: '' },
    ],
    [
      'models:/a@b@prod/sub/f',
      { kind: 'model', by: 'alias', name: 'a@b', alias: 'prod', path: 'sub/f' },
    ],
    [`models:/${MODEL_ID}`, { kind: 'model', by: 'id', modelId: MODEL_ID, path: '' }],
    [`models:/${MODEL_ID}/x/y`, { kind: 'model', by: 'id', modelId: MODEL_ID, path: 'x/y' }],
    ['mlflow-artifacts:/1/abc', { kind: 'artifacts', path: '1/abc' }],
    ['mlflow-artifacts:///1/abc', { kind: 'artifacts', path: '1/abc' }],
    ['mlflow-artifacts://host:5000/1', { kind: 'artifacts', host: 'host:5000', path: '1' }],
  ])('%s is taken apart', (uri, expected) => {
    expect(parseReference(uri)).toEqual(expected);
  });

  it.each(['runs:/', 'runs:abc', 'models:/', 'models:/@x', 'models:/x@', 'models://host/churn/1'])(
    '%s is refused with the forms that there are',
    (uri) => {
      expect(() => parseReference(uri)).toThrow(/write (runs|models):\//);
    },
  );

  it.each([
    ['models:/churn@champion', 'churn'],
    ['models:/churn/3', 'churn'],
    [`models:/${MODEL_ID}`, MODEL_ID],
    ['models:/churn/3/data/x.bin', 'x.bin'],
    ['runs:/abc', 'abc'],
    ['runs:/abc/model', 'model'],
    ['mlflow-artifacts:/1/abc/artifacts/a b', 'a b'],
    ['mlflow-artifacts://h/1/a%20b?via=proxied', 'a b'],
    ['mlflow-artifacts:/', undefined],
  ])('%s lands in a folder or file called %s', (uri, name) => {
    expect(mlflowFactory.localName(uri)).toBe(name);
  });

  it('that is resolved is none any more, and is opened as it was written', () => {
    const location = {
      base: 'https://host:8443/prefix',
      path: "1/r/artifacts/a b/c?d&e#f%20'",
      via: 'presigned',
    } as const;
    const { uri, settings } = formatLocation(location);
    expect(uri).toBe(
      "mlflow-artifacts://host:8443/1/r/artifacts/a%20b/c%3Fd%26e%23f%2520'?via=presigned",
    );
    expect(mlflowFactory.isReference?.(uri)).toBe(false);
    expect(mlflowFactory.isReference?.('mlflow-artifacts:/1/r')).toBe(true);
    expect(mlflowFactory.isReference?.('mlflow-artifacts://host/1/r')).toBe(true);
    expect(parseLocation(uri, settings, 'https://other')).toEqual(location);
  });
});

describe('a URL of the MLflow page', () => {
  it.each([
    ['http://h:5000/#/experiments/1/runs/abc', 'runs:/abc'],
    ['http://h:5000/#/experiments/1/runs/abc/artifacts', 'runs:/abc'],
    ['http://h:5000/#/experiments/1/runs/abc/artifacts/model/a%20b', 'runs:/abc/model/a b'],
    ['http://h:5000/#/experiments/1/runs/abc/overview', 'runs:/abc'],
    ['https://h/ml/#/experiments/0/runs/abc/artifactPath/model', 'runs:/abc/model'],
    ['http://h:5000/#/models/my%20churn/versions/3', 'models:/my churn/3'],
    ['http://h:5000/#/models/churn', 'models:/churn/latest'],
    [`http://h:5000/#/experiments/1/models/${MODEL_ID}`, `models:/${MODEL_ID}`],
    [`http://h:5000/?x=1#/experiments/1/models/${MODEL_ID}/artifacts/a`, `models:/${MODEL_ID}/a`],
    ['http://h:5000/#/experiments/1', undefined],
    ['http://h/file.bin', undefined],
    ['http://h/file.bin#part', undefined],
    ['s3://bucket/#/models/churn', undefined],
  ])('%s means %s', (url, reference) => {
    expect(fromPageUrl(url)).toBe(reference);
  });

  it('names its own server, static prefix included', () => {
    expect(applyPageUrl('https://h/ml/#/models/churn/versions/3', { A: 'b' })).toEqual({
      uri: 'models:/churn/3',
      settings: { A: 'b', MLFLOW_TRACKING_URI: 'https://h/ml' },
    });
  });

  it('rule 4: leaves credentials with the server that was configured', () => {
    const settings = { MLFLOW_TRACKING_URI: 'https://ours', MLFLOW_REGISTRY_URI: 'https://ours' };
    expect(applyPageUrl('https://theirs/#/models/churn/versions/3', settings)?.settings).toEqual({
      MLFLOW_TRACKING_URI: 'https://theirs',
      mlflow_credentials_for: 'https://ours',
    });
  });
});

describe('a name that the server cannot serve', () => {
  it.each([
    'a%20b',
    'x/a%2Fb',
    'a#1',
    'a\nb',
    'a\tb',
    'a\\b',
    'a?',
    'a;',
    'a;?b',
    ' a',
    'http:x',
    '\ud800',
  ])('%j is known beforehand', (name) => {
    expect(unservable(name)).toBeDefined();
  });

  it.each([
    '100%.txt',
    '100%',
    'a b',
    'x/ a',
    'what?.txt',
    'a;b',
    'a+b&c=d',
    "it's",
    '模型',
    '.dot',
    'x/a:b',
  ])('%j is none', (name) => {
    expect(unservable(name)).toBeUndefined();
  });
});

describe('the settings', () => {
  const opened = (settings: Record<string, string>): Promise<unknown> =>
    mlflowFactory.open({ uri: 'mlflow-artifacts:/1', settings, secrets: {} });

  it('without a tracking server say what to set', async () => {
    const error = (await opened({}).catch((reason: unknown) => reason)) as WaybillError;
    expect(error.code).toBe('WB_USAGE');
    expect(error.message).toMatch(/MLFLOW_TRACKING_URI.*--tracking-uri/);
  });

  it.each(['databricks', 'databricks://profile', 'databricks-uc', 'uc:http://h:1'])(
    'at %s say what does work instead of a server that nobody can start',
    async (uri) => {
      await expect(opened({ MLFLOW_TRACKING_URI: uri })).rejects.toMatchObject({
        code: 'WB_UNSUPPORTED',
        message: expect.not.stringContaining('mlflow server'),
        advice: expect.stringContaining('abfss://'),
      });
    },
  );

  it.each(['./mlruns', 'sqlite:///mlflow.db'])(
    'with the tracking store %s say that a server is needed',
    async (uri) => {
      await expect(opened({ MLFLOW_TRACKING_URI: uri })).rejects.toMatchObject({
        code: 'WB_UNSUPPORTED',
        message: expect.stringContaining('mlflow server'),
      });
    },
  );

  it('rule 3: with a password in the address are refused, without showing it', async () => {
    const error = (await opened({ MLFLOW_TRACKING_URI: 'http://me:hunter22@h:1' }).catch(
      (reason: unknown) => reason,
    )) as WaybillError;
    expect(error.code).toBe('WB_CONFIG_INVALID');
    expect(error.message).not.toContain('hunter22');
  });
});
