import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/config.js';
import { resolveSiteDestination } from '../../src/cli/request/destination.js';
import { buildPullRequest, type BuiltRequest } from '../../src/cli/request/build.js';
import { parseFileList } from '../../src/cli/request/files-from.js';
import { collectSource, type CollectedSource } from '../../src/cli/request/source.js';
import type { ConnectionTable } from '../../src/config/toml-file.js';
import { StoreRegistry } from '../../src/stores/registry.js';

let cwd: string;

beforeAll(() => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-request-')));
  mkdirSync(join(cwd, 'there'));
  mkdirSync(join(cwd, 'data'));
  writeFileSync(join(cwd, 'data/f.bin'), 'f');
  symlinkSync(join(cwd, 'data'), join(cwd, 'data-link'));
  symlinkSync(join(cwd, 'there'), join(cwd, 'link'));
  symlinkSync(join(cwd, 'nowhere'), join(cwd, 'dangling'));
});

afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function build(
  source: string,
  destination?: string,
  flags: Record<string, unknown> = {},
  env: Record<string, string> = {},
): BuiltRequest {
  const config = readConfig({ flags, env: { HOME: cwd, WAYBILL_SERVICE: 'inline', ...env }, cwd });
  return buildPullRequest({ config, flags, source, destination, cwd });
}

function collect(
  text: string,
  env: Record<string, string>,
  connections: readonly ConnectionTable[] = [],
): CollectedSource {
  return collectSource({
    text,
    cwd,
    registry: new StoreRegistry(),
    connections,
    environmentOf: (names) =>
      Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : []))),
  });
}

describe('the destination of a request', () => {
  it('is absolute, with symbolic links resolved as far as it exists', () => {
    const { destination } = build('./data', 'link/new/model').request;
    expect(destination).toEqual({ path: join(cwd, 'there/new/model'), isFolder: false });
  });

  it.each(['there', 'new/', '.'])('knows that %s is a folder', (text) => {
    expect(build('./data', text).request.destination.isFolder).toBe(true);
  });

  it.each([
    ['models:/churn@champion', 'churn'],
    ['s3://bucket/sets/2024/', '2024'],
    ['https://host/w.bin?sig=1', 'w.bin'],
    ['there/data', 'data'],
  ])('of %s without one is ./%s', (source, name) => {
    expect(build(source).request.destination.path).toBe(join(cwd, name));
  });

  it.each([
    ['./data', undefined, 'is the source itself'],
    ['./data', 'data/', 'is the source itself'],
    ['./data', 'data-link', 'is the source itself'],
    ['./data', 'data/in/it', 'lies inside of the source'],
    ['data/f.bin', 'data', 'is the source itself'],
    ['data/f.bin', 'data/f.bin', 'is the source itself'],
  ])('of %s is never %s, which would be read and written at once', (source, text, why) => {
    expect(() => build(source, text)).toThrow(
      expect.objectContaining({ code: 'WB_USAGE', message: expect.stringContaining(why) }),
    );
  });

  it.each([
    ['./data', 'data2'],
    ['./data', '.'],
    ['data/f.bin', '.'],
    ['data/nothing', 'data/nothing'],
  ])('of %s may be %s', (source, text) => {
    expect(() => build(source, text)).not.toThrow();
  });

  it('is asked for where no name can be derived', () => {
    expect(() => build('https://host/')).toThrow(
      expect.objectContaining({
        code: 'WB_USAGE',
        message: expect.stringContaining('DESTINATION'),
      }),
    );
  });

  it.each(['s3://bucket/x', 'gs://b', 'https://host/x', 'models:/x/1'])(
    'is never a folder called after the scheme of %s',
    (text) => {
      expect(() => build('./data', text)).toThrow(
        expect.objectContaining({
          code: 'WB_UNSUPPORTED',
          exitCode: 2,
          message: expect.stringContaining('not yet'),
        }),
      );
    },
  );

  it('is refused when it is empty or a link to nowhere', () => {
    expect(() => build('./data', '')).toThrow('empty');
    expect(() => build('./data', 'dangling/x')).toThrow(
      expect.objectContaining({ code: 'WB_CONFLICT' }),
    );
  });

  it('names a site on a cluster, and nothing else is taken there', () => {
    expect(resolveSiteDestination('gpu-1:/models/churn/', 'TEMPORAL_ADDRESS')).toEqual({
      site: 'gpu-1',
      destination: { path: '/models/churn', isFolder: true },
    });
    expect(() => resolveSiteDestination('./churn', 'TEMPORAL_ADDRESS')).toThrow('SITE:/absolute');
  });
});

describe('the source of a request', () => {
  it.each([
    ['http//host/x', 'http://host/x'],
    ['S3//bucket/x', 'S3://bucket/x'],
  ])('%s has lost its colon, and is no path', (text, meant) => {
    expect(() => build(text, 'out')).toThrow(
      expect.objectContaining({ code: 'WB_USAGE', message: expect.stringContaining(meant) }),
    );
  });

  it('may be a path that looks like that, where it is there or is written as one', () => {
    mkdirSync(join(cwd, 'http/host'), { recursive: true });
    for (const text of ['http//host', './https//host', 'nosuch//host']) {
      expect(build(text, 'out').request.source.uri).toBe(join(cwd, text));
    }
  });

  it.each([
    ['s3', 's3://bucket/x'],
    ['http', 'https://host/x'],
    ['mlflow', 'models:/churn/1'],
  ])(
    'takes the network of its %s connection, relative to its file, over that of the shell',
    (type, uri) => {
      const { settings, secrets } = collect(
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
        SSL_CERT_FILE: join(cwd, 'shell.pem'),
        WAYBILL_CA_FILE: '/etc/waybill/company.pem',
        WAYBILL_CLIENT_CERT_FILE: '/etc/waybill/ada.crt',
        WAYBILL_CLIENT_KEY_FILE: '/run/ada.key',
        WAYBILL_STALL_TIMEOUT: '5s',
      });
      expect(secrets).toEqual({ WAYBILL_CLIENT_KEY_PASSWORD: '1' });
    },
  );

  it('is absolute where it is a local path', () => {
    expect(build('./data', 'x').request.source.uri).toBe(join(cwd, 'data'));
  });

  it('rule 3: holds no secret of its address', () => {
    const { request, address } = build(
      'https://me:hunter22@host/w.bin?X-Amz-Signature=abc&v=1',
      'x',
    );
    expect(JSON.stringify(request)).not.toMatch(/hunter22|abc/);
    expect(request.source.uri).toBe('https://host/w.bin?v=1');
    expect(address.secrets).toMatchObject({ username: 'me', password: 'hunter22' });
  });

  it('rule 2: carries settings in the request and secrets beside it', () => {
    const { address } = collect('s3://b/x', {
      AWS_REGION: 'eu-1',
      AWS_SECRET_ACCESS_KEY: 'sesame',
      UNRELATED: 'x',
    });
    expect(address.settings).toEqual({ AWS_REGION: 'eu-1' });
    expect(address.secrets).toEqual({ AWS_SECRET_ACCESS_KEY: 'sesame' });
  });

  it('rule 2: of a reference collects the variables of every store that it may lead to', () => {
    const { address } = collect('models:/churn/1', {
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
    const { address } = collect('models:/churn/1', { MLFLOW_TRACKING_URI: 'http://u:pw-1@t:5000' });
    expect(address.settings['MLFLOW_TRACKING_URI']).toBe('http://t:5000');
    expect(address.secrets).toMatchObject({
      MLFLOW_TRACKING_USERNAME: 'u',
      MLFLOW_TRACKING_PASSWORD: 'pw-1',
    });
  });

  it('makes certificate paths absolute: the worker runs elsewhere', () => {
    const { address } = collect('https://host/x', { SSL_CERT_FILE: 'ca.pem' });
    expect(address.settings['SSL_CERT_FILE']).toBe(join(cwd, 'ca.pem'));
  });

  it('rule 2: of gs:// names the file of its login, which the worker reads, and keeps what is a login itself apart', () => {
    const { address } = collect('gs://bucket/model', {
      GOOGLE_APPLICATION_CREDENTIALS: 'key.json',
      CLOUDSDK_CONFIG: 'gcloud',
      GOOGLE_CREDENTIALS: '{"private_key":"sesame"}',
      CLOUDSDK_AUTH_ACCESS_TOKEN: 'ya29.sesame',
    });
    expect(address.settings).toEqual({
      GOOGLE_APPLICATION_CREDENTIALS: join(cwd, 'key.json'),
      CLOUDSDK_CONFIG: join(cwd, 'gcloud'),
    });
    expect(Object.keys(address.secrets).sort()).toEqual([
      'CLOUDSDK_AUTH_ACCESS_TOKEN',
      'GOOGLE_CREDENTIALS',
    ]);
  });

  it('finds the records of MLflow as MLflow does, from the working folder, and not for a page of a server', () => {
    const uri = ({ address }: CollectedSource): string | undefined =>
      address.settings['MLFLOW_TRACKING_URI'];
    const at = (folder: string): string => `file://${cwd}/${folder}`;
    expect(uri(collect('runs:/abc', {}))).toBeUndefined();
    expect(uri(collect('runs:/abc', { MLFLOW_TRACKING_URI: 'file:./runs' }))).toBe(at('runs'));
    mkdirSync(join(cwd, 'mlruns/0'), { recursive: true });
    writeFileSync(join(cwd, 'mlruns/0/meta.yaml'), '');
    expect(uri(collect('runs:/abc', {}))).toBe(at('mlruns'));
    expect(uri(collect('s3://bucket/key', {}))).toBeUndefined();
    const page = 'http://host:5000/#/experiments/1/runs/abc';
    expect(uri(collect(page, {}))).toBe('http://host:5000');
    expect(uri(collect(page, { MLFLOW_TRACKING_URI: 'file:./runs' }))).toBe('http://host:5000');
    rmSync(join(cwd, 'mlruns'), { recursive: true });
  });

  it('says how to name a local file whose name looks like a scheme', () => {
    expect(() => build('weights:v2')).toThrow('./weights:v2');
  });

  it('rule 2: refuses credentials of the shell on a cluster', () => {
    const flags = { cluster: 'temporal:7233' };
    expect(() => build('https://u:pw-12345@h/x', 'site:/x', flags)).toThrow('use --connection');
  });
});

describe('rule 2: a waybill.toml in the working directory', () => {
  const inProject = (
    text: string,
    env: Record<string, string>,
    source = 'models:/churn/1',
  ): BuiltRequest => {
    writeFileSync(join(cwd, 'waybill.toml'), text);
    const all = { HOME: '/nonexistent', WAYBILL_SERVICE: 'inline', ...env };
    try {
      const config = readConfig({ flags: {}, env: all, cwd });
      const flags = { config };
      // Settings of the sources come from the environment of this process, which the test sets for a moment.
      Object.assign(process.env, env);
      return buildPullRequest({
        ...flags,
        flags: {},
        source,
        destination: 'x',
        cwd,
      });
    } finally {
      for (const name of Object.keys(env)) Reflect.deleteProperty(process.env, name);
      rmSync(join(cwd, 'waybill.toml'));
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

describe('the options of a request', () => {
  it('have defaults that need no option', () => {
    expect(build('./data', 'out').request).toMatchObject({
      protocol: 1,
      ifExists: 'update',
      requireLevel: 'none',
      acceptUnprovenLength: false,
      checksum: false,
      prune: false,
      giveUpAfterMs: 900_000,
      filters: { include: [], exclude: [] },
    });
  });

  it('rule 11: accept an unproven length only when --require none was typed', () => {
    expect(build('./data', 'out', { require: 'none' }).request.acceptUnprovenLength).toBe(true);
  });

  it('read sizes, durations and counts', () => {
    const flags = { maxBytes: '1.5G', giveUpAfter: 'never', timeout: '2h', concurrency: '8' };
    const { request } = build('./data', 'out', flags);
    expect(request).toMatchObject({
      maxBytes: 1_610_612_736,
      timeoutMs: 7_200_000,
      concurrency: 8,
    });
    expect(request.giveUpAfterMs).toBeUndefined();
  });

  it.each([
    [{ ifExists: 'replace' }, '--if-exists'],
    [{ concurrency: '0' }, '--concurrency'],
    [{ maxBytes: 'much' }, '--max-bytes'],
    [{ require: 'sha' }, '--require'],
  ])('refuse %j, naming the flag', (flags, flag) => {
    expect(() => build('./data', 'out', flags)).toThrow(
      expect.objectContaining({ code: 'WB_USAGE', message: expect.stringContaining(flag) }),
    );
  });

  it('take a digest, an existing list or a URI as the expectation', () => {
    const hex = 'A'.repeat(64);
    writeFileSync(join(cwd, 'SHA256SUMS'), '');
    const expectOf = (text: string): unknown =>
      build('./data', 'o', { expect: text }).request.expect;
    expect(expectOf(`sha256:${hex}`)).toEqual({ kind: 'digest', sha256: hex.toLowerCase() });
    expect(expectOf('SHA256SUMS')).toEqual({ kind: 'list', location: join(cwd, 'SHA256SUMS') });
    expect(expectOf('https://h/SUMS')).toEqual({ kind: 'list', location: 'https://h/SUMS' });
    expect(() => expectOf('nosuch')).toThrow('there is no such file');
  });
});

describe('--files-from', () => {
  it('reads lines, or NUL where there is one, once each', () => {
    expect(parseFileList('a\r\n./b\n\na\n')).toEqual(['a', 'b']);
    expect(parseFileList('a b\0c\nd\0')).toEqual(['a b', 'c\nd']);
  });

  it('rule 21: refuses names that leave the destination', () => {
    expect(() => parseFileList('../x')).toThrow(
      expect.objectContaining({ code: 'WB_UNSAFE_PATH' }),
    );
  });
});
