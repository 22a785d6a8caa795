/** Where a pull comes from: its address, settings and secrets. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CollectedSource } from '../../../src/cli/request/source.js';
import { openDesk, type Desk } from './desk.js';

let desk: Desk;

beforeAll(() => {
  desk = openDesk();
});

afterAll(() => desk.clear());

describe('the source of a request', () => {
  it.each([
    ['http//host/x', 'http://host/x'],
    ['S3//bucket/x', 'S3://bucket/x'],
  ])('%s has lost its colon, and is no path', (text, meant) => {
    expect(() => desk.build(text, 'out')).toThrow(
      expect.objectContaining({ code: 'WB_USAGE', message: expect.stringContaining(meant) }),
    );
  });

  it('may be a path that looks like that, where it is there or is written as one', () => {
    mkdirSync(join(desk.cwd, 'http/host'), { recursive: true });
    for (const text of ['http//host', './https//host', 'nosuch//host']) {
      expect(desk.build(text, 'out').request.source.uri).toBe(join(desk.cwd, text));
    }
  });

  it.each([
    ['s3', 's3://bucket/x'],
    ['http', 'https://host/x'],
    ['mlflow', 'models:/churn/1'],
  ])(
    'takes the network of its %s connection, relative to its file, over that of the shell',
    (type, uri) => {
      const { settings, secrets } = desk.collect(
        uri,
        { https_proxy: 'http://me:pw@shell:1', SSL_CERT_FILE: 'shell.pem', CI: '1' },
        [
          {
            name: 'c',
            type,
            match: [`${uri.slice(0, -1)}*`],
            file: '/etc/waybill/waybill.toml',
            rest: {
              https_proxy: 'http://toml:2',
              ca_file: 'company.pem',
              client_cert_file: 'ada.crt',
              client_key_file: '/run/ada.key',
              client_key_password_env: 'CI',
              stall_timeout: '5s',
            },
          },
        ],
      ).address;
      expect(settings).toEqual({
        HTTPS_PROXY: 'http://toml:2',
        SSL_CERT_FILE: join(desk.cwd, 'shell.pem'),
        WAYBILL_CA_FILE: '/etc/waybill/company.pem',
        WAYBILL_CLIENT_CERT_FILE: '/etc/waybill/ada.crt',
        WAYBILL_CLIENT_KEY_FILE: '/run/ada.key',
        WAYBILL_STALL_TIMEOUT: '5s',
      });
      expect(secrets).toEqual({ WAYBILL_CLIENT_KEY_PASSWORD: '1' });
    },
  );

  it('is absolute where it is a local path', () => {
    expect(desk.build('./data', 'x').request.source.uri).toBe(join(desk.cwd, 'data'));
  });

  it('rule 3: holds no secret of its address', () => {
    const { request, address } = desk.build(
      'https://me:hunter22@host/w.bin?X-Amz-Signature=abc&v=1',
      'x',
    );
    expect(JSON.stringify(request)).not.toMatch(/hunter22|abc/);
    expect(request.source.uri).toBe('https://host/w.bin?v=1');
    expect(address.secrets).toMatchObject({ username: 'me', password: 'hunter22' });
  });

  it('rule 2: carries settings in the request and secrets beside it', () => {
    const { address } = desk.collect('s3://b/x', {
      AWS_REGION: 'eu-1',
      AWS_SECRET_ACCESS_KEY: 'sesame',
      UNRELATED: 'x',
    });
    expect(address.settings).toEqual({ AWS_REGION: 'eu-1' });
    expect(address.secrets).toEqual({ AWS_SECRET_ACCESS_KEY: 'sesame' });
  });

  it('rule 2: of a reference collects the variables of every store that it may lead to', () => {
    const { address } = desk.collect('models:/churn/1', {
      MLFLOW_TRACKING_URI: 'http://t',
      MLFLOW_TRACKING_TOKEN: 'token-1',
      AWS_SECRET_ACCESS_KEY: 'sesame',
    });
    expect(address.settings['MLFLOW_TRACKING_URI']).toBe('http://t');
    expect(Object.keys(address.secrets).sort()).toEqual([
      'AWS_SECRET_ACCESS_KEY',
      'MLFLOW_TRACKING_TOKEN',
    ]);
  });

  it('rule 3: splits a password off MLFLOW_TRACKING_URI', () => {
    const { address } = desk.collect('models:/churn/1', {
      MLFLOW_TRACKING_URI: 'http://u:pw-1@t:5000',
    });
    expect(address.settings['MLFLOW_TRACKING_URI']).toBe('http://t:5000');
    expect(address.secrets).toMatchObject({
      MLFLOW_TRACKING_USERNAME: 'u',
      MLFLOW_TRACKING_PASSWORD: 'pw-1',
    });
  });

  it('makes certificate paths absolute: the worker runs elsewhere', () => {
    const { address } = desk.collect('https://host/x', { SSL_CERT_FILE: 'ca.pem' });
    expect(address.settings['SSL_CERT_FILE']).toBe(join(desk.cwd, 'ca.pem'));
  });

  it('rule 2: of gs:// names the file of its login, which the worker reads, and keeps what is a login itself apart', () => {
    const { address } = desk.collect('gs://bucket/model', {
      GOOGLE_APPLICATION_CREDENTIALS: 'key.json',
      CLOUDSDK_CONFIG: 'gcloud',
      GOOGLE_CREDENTIALS: '{"private_key":"sesame"}',
      CLOUDSDK_AUTH_ACCESS_TOKEN: 'ya29.sesame',
    });
    expect(address.settings).toEqual({
      GOOGLE_APPLICATION_CREDENTIALS: join(desk.cwd, 'key.json'),
      CLOUDSDK_CONFIG: join(desk.cwd, 'gcloud'),
    });
    expect(Object.keys(address.secrets).sort()).toEqual([
      'CLOUDSDK_AUTH_ACCESS_TOKEN',
      'GOOGLE_CREDENTIALS',
    ]);
  });

  it('finds the records of MLflow as MLflow does, from the working folder, and not for a page of a server', () => {
    const uri = ({ address }: CollectedSource): string | undefined =>
      address.settings['MLFLOW_TRACKING_URI'];
    const at = (folder: string): string => `file://${desk.cwd}/${folder}`;
    expect(uri(desk.collect('runs:/abc', {}))).toBeUndefined();
    expect(uri(desk.collect('runs:/abc', { MLFLOW_TRACKING_URI: 'file:./runs' }))).toBe(at('runs'));
    mkdirSync(join(desk.cwd, 'mlruns/0'), { recursive: true });
    writeFileSync(join(desk.cwd, 'mlruns/0/meta.yaml'), '');
    expect(uri(desk.collect('runs:/abc', {}))).toBe(at('mlruns'));
    expect(uri(desk.collect('s3://bucket/key', {}))).toBeUndefined();
    const page = 'http://host:5000/#/experiments/1/runs/abc';
    expect(uri(desk.collect(page, {}))).toBe('http://host:5000');
    expect(uri(desk.collect(page, { MLFLOW_TRACKING_URI: 'file:./runs' }))).toBe(
      'http://host:5000',
    );
    rmSync(join(desk.cwd, 'mlruns'), { recursive: true });
  });

  it('says how to name a local file whose name looks like a scheme', () => {
    expect(() => desk.build('weights:v2')).toThrow('./weights:v2');
  });

  it('rule 2: refuses credentials of the shell on a cluster', () => {
    const flags = { cluster: 'temporal:7233' };
    expect(() => desk.build('https://u:pw-12345@h/x', 'site:/x', flags)).toThrow(
      'use --connection',
    );
  });
});
