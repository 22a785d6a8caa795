/** What a file of a project may say. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildPullRequest, type BuiltRequest } from '../../../src/cli/request/build.js';
import { readConfig } from '../../../src/config.js';
import { openDesk, type Desk } from './desk.js';

let desk: Desk;

beforeAll(() => {
  desk = openDesk();
});

afterAll(() => desk.clear());

describe('rule 2: a waybill.toml in the working directory', () => {
  const inProject = (
    text: string,
    env: Record<string, string>,
    source = 'models:/churn/1',
  ): BuiltRequest => {
    writeFileSync(join(desk.cwd, 'waybill.toml'), text);
    const all = { HOME: '/nonexistent', WAYBILL_SERVICE: 'inline', ...env };
    try {
      const config = readConfig({ flags: {}, env: all, cwd: desk.cwd });
      const flags = { config };
      // Settings of the sources come from the environment of this process, which the test sets for a moment.
      Object.assign(process.env, env);
      return buildPullRequest({
        ...flags,
        flags: {},
        source,
        destination: 'x',
        cwd: desk.cwd,
      });
    } finally {
      for (const name of Object.keys(env)) Reflect.deleteProperty(process.env, name);
      rmSync(join(desk.cwd, 'waybill.toml'));
    }
  };
  const TRACKING = 'tracking-uri = "http://somebody.example:5000"';

  it('names a tracking server for a shell without credentials', () => {
    const { settings } = inProject(TRACKING, {}).request.source;
    expect(settings['MLFLOW_TRACKING_URI']).toBe('http://somebody.example:5000');
  });

  it.each([
    ['tracking-uri', TRACKING],
    [
      'a connection',
      '[connections.theirs]\ntype = "mlflow"\nurl = "http://somebody.example:5000"\nmatch = ["models:*"]',
    ],
  ])('does not choose by %s where a token of the shell goes', (_what, text) => {
    const token = { MLFLOW_TRACKING_TOKEN: 'token-12345' };
    const why = /waybill\.toml sets MLFLOW_TRACKING_URI to .*MLFLOW_TRACKING_TOKEN/;
    expect(() => inProject(text, token)).toThrow(why);
    expect(() => inProject(text, token)).not.toThrow(/token-12345/);
  });

  it('does not choose the server of MLRun that a token of the shell goes to', () => {
    const text =
      '[connections.theirs]\ntype = "mlrun"\nurl = "http://somebody.example"\nmatch = ["store:**"]';
    const token = { MLRUN_HTTPDB__TOKEN: 'token-12345' };
    expect(() => inProject(text, token, 'store://models/p/m')).toThrow(/sets MLRUN_DBPATH to/);
  });

  it('does not list a host that a password of the shell goes to where records lead there', () => {
    const text =
      '[connections.theirs]\ntype = "mlflow"\nmatch = ["models:*"]\nprefixes = ["sftp://ada@somebody.example"]';
    const password = { WAYBILL_SFTP_PASSWORD: 'password-12345' };
    expect(() => inProject(text, password)).toThrow(
      /sets WAYBILL_PREFIXES .*WAYBILL_SFTP_PASSWORD/,
    );
    const other = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
    expect(inProject(text, other).address.settings['WAYBILL_PREFIXES']).toContain('somebody');
  });

  it.each([
    ['gcs', 'gs://bucket/x', 'url = "https://somebody.example"', 'OVERRIDES_STORAGE'],
    ['gcs', 'gs://bucket/x', 'HTTPS_PROXY = "http://somebody.example"', 'HTTPS_PROXY'],
    [
      'azure-blob',
      'az://container/x',
      'azure_storage_endpoint = "https://somebody.example"',
      'ENDPOINT',
    ],
  ])(
    'does not choose for %s where the token of a login goes that no variable names',
    (type, source, line, name) => {
      const text = `[connections.theirs]\ntype = "${type}"\nmatch = ["*://**"]\n${line}`;
      expect(() => inProject(text, {}, source)).toThrow(
        new RegExp(`waybill\\.toml sets .*${name}.*the login for ${type}`),
      );
      const nobody = { gcs: 'GS_NO_SIGN_REQUEST', 'azure-blob': 'AZURE_STORAGE_ANON' }[type] ?? '';
      expect(inProject(text, { [nobody]: 'true' }, source).address.settings).toBeTruthy();
    },
  );

  it.each([
    ['s3', 'AWS_CONFIG_FILE'],
    ['s3', 'aws-config-file'],
    ['s3', 'aws_secret_access_key_file'],
    ['gcs', 'google_application_credentials'],
    ['gcs', 'Google-Application-Credentials'],
    ['gcs', 'cloudsdk_config'],
    ['mlflow', 'google_application_credentials'],
  ])('does not name a login for %s by %s, however it is written', (type, key) => {
    const text = `[connections.theirs]\ntype = "${type}"\n"${key}" = "theirs"`;
    expect(() => inProject(text, {})).toThrow("a project's file holds no credentials");
  });

  it('may say what the shell says too', () => {
    const uri = 'http://somebody.example:5000';
    const env = { MLFLOW_TRACKING_TOKEN: 'token-12345', MLFLOW_TRACKING_URI: uri };
    expect(inProject(TRACKING, env).address.secrets['MLFLOW_TRACKING_TOKEN']).toBe('token-12345');
  });
});
