import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig, scrubbedEnvironment, terminalHints, type Config } from '../src/config.js';
import { chooseConnection, readConnection } from '../src/config/connection.js';
import { defaultStateDir, inlineReason, type Machine } from '../src/config/places.js';

let root: string;
let home: string;
let cwd: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'waybill-config-'));
  home = join(root, 'home');
  cwd = join(root, 'cwd');
  mkdirSync(join(home, '.config/waybill'), { recursive: true });
  mkdirSync(cwd);
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const userFile = (): string => join(home, '.config/waybill/waybill.toml');
const projectFile = (): string => join(cwd, 'waybill.toml');

function read(env: Record<string, string> = {}, flags: Record<string, unknown> = {}): Config {
  return readConfig({ env: { HOME: home, WAYBILL_SERVICE: 'inline', ...env }, flags, cwd });
}

const machine = (env: Record<string, string>): Machine => ({
  env,
  hostName: 'host-1',
  tempDir: root,
  userId: process.getuid?.(),
  processId: 77,
});

describe('where a setting comes from', () => {
  it('is flag, then variable, then the project, then the user, then the default', () => {
    const value = (config: Config): unknown[] => {
      const found = config.settings.get('concurrency');
      return [found?.value, found?.origin];
    };
    expect(value(read())).toEqual([undefined, 'not set']);
    writeFileSync(userFile(), 'concurrency = 1');
    expect(value(read())).toEqual([1, userFile()]);
    writeFileSync(projectFile(), 'concurrency = 2');
    expect(value(read())).toEqual([2, projectFile()]);
    const env = { WAYBILL_CONCURRENCY: '3' };
    expect(value(read(env))).toEqual([3, 'WAYBILL_CONCURRENCY']);
    expect(value(read(env, { concurrency: '4' }))).toEqual([4, '--concurrency']);
  });

  it('is named when the value is wrong', () => {
    expect(() => read({ WAYBILL_MAX_BYTES: 'lots' })).toThrow(
      expect.objectContaining({
        code: 'WB_CONFIG_INVALID',
        message: expect.stringContaining('WAYBILL_MAX_BYTES'),
      }),
    );
    writeFileSync(userFile(), 'if-exists = "burn"');
    expect(() => read()).toThrow(userFile());
  });
});

describe('a configuration file', () => {
  it.each([
    ['concurency = 3', 'concurency (did you mean concurrency?)'],
    ['if_exists = "skip"', 'if_exists (did you mean if-exists?)'],
    ['[conections.x]\ntype = "s3"', 'conections (did you mean connections?)'],
    ['colour = "red"', 'unknown setting colour;'],
    ['[service]\nmod = "inline"', 'service.mod (did you mean service.mode?)'],
    ['concurrency = [1]', 'concurrency'],
    ['[sites.lab]\nrots = ["/data"]', 'sites.lab.rots (did you mean sites.lab.roots?)'],
    ['[sites.lab]\nroots = ["data"]', 'sites.lab.roots.0: is no absolute path'],
    ['a = ', 'line 1'],
  ])('with %j is refused, and the message says %s', (text, said) => {
    writeFileSync(userFile(), text);
    expect(() => read()).toThrow(
      expect.objectContaining({
        code: 'WB_CONFIG_INVALID',
        message: expect.stringContaining(said),
      }),
    );
  });

  it('of a project cannot say what to run, where to connect, or where credentials lie', () => {
    for (const text of [
      '[service]\ntemporal-cli = "./evil"',
      'cluster = "evil:7233"',
      '[sites.lab]\nroots = ["/"]',
      '[connections.x]\ntype = "s3"\naws_secret_access_key_env = "AWS_SECRET_ACCESS_KEY"',
    ]) {
      writeFileSync(projectFile(), text);
      expect(() => read()).toThrow(expect.objectContaining({ code: 'WB_CONFIG_INVALID' }));
    }
  });
});

describe('a connection', () => {
  const known = {
    url: 'AWS_ENDPOINT_URL_S3',
    settings: ['AWS_REGION', 'AWS_ENDPOINT_URL_S3'],
    secrets: ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID'],
  };
  const environmentOf = (names: readonly string[]): Record<string, string> =>
    names.includes('LAB_ID') ? { LAB_ID: 'id-1' } : {};

  it('gives settings, and secrets from where they lie', () => {
    writeFileSync(join(home, '.config/waybill/key'), 'sesame\n');
    writeFileSync(
      userFile(),
      `[connections.lab]\ntype = "s3"\nurl = "https://m:9000"\nmatch = ["s3://ml-*"]\naws_region = "eu-1"
aws_access_key_id_env = "LAB_ID"\naws_secret_access_key_file = "key"`,
    );
    const [table] = read().connections;
    expect(table && readConnection(table, known, environmentOf)).toEqual({
      name: 'lab',
      settings: { AWS_ENDPOINT_URL_S3: 'https://m:9000', AWS_REGION: 'eu-1' },
      secrets: { AWS_ACCESS_KEY_ID: 'id-1', AWS_SECRET_ACCESS_KEY: 'sesame' },
    });
  });

  it('never takes a secret that is written down, nor a key that it does not know', () => {
    for (const line of ['aws_secret_access_key = "sesame"', 'colour = "red"']) {
      writeFileSync(userFile(), `[connections.lab]\ntype = "s3"\n${line}`);
      const [table] = read().connections;
      expect(() => table && readConnection(table, known, environmentOf)).toThrow(
        expect.objectContaining({ code: 'WB_CONFIG_INVALID' }),
      );
    }
  });

  it('matches a bucket and all below it, and nothing that only starts alike', () => {
    const tables = [{ name: 'lab', type: 's3', match: ['s3://ml-*'], rest: {}, file: '' }];
    const name = (uri: string): string | undefined =>
      chooseConnection(tables, uri, undefined)?.name;
    expect(name('s3://ml-data')).toBe('lab');
    expect(name('s3://ml-data/a/b')).toBe('lab');
    expect(name('s3://other/ml-data')).toBeUndefined();
    expect(() => chooseConnection(tables, 's3://x', 'nosuch')).toThrow('known: lab');
  });
});

describe('which Temporal', () => {
  it('is the local service unless something says otherwise', () => {
    expect(read().temporal).toMatchObject({ kind: 'local', mode: 'inline' });
    expect(read({ TEMPORAL_ADDRESS: 't:7233' }).temporal).toEqual({
      kind: 'cluster',
      address: 't:7233',
      namespace: undefined,
      why: 'TEMPORAL_ADDRESS',
    });
    const flagged = read({ TEMPORAL_ADDRESS: 't:7233' }, { cluster: 'u:7233' });
    expect(flagged.temporal).toMatchObject({ address: 'u:7233', why: '--cluster' });
    expect(read({ TEMPORAL_ADDRESS: 't:7233' }, { local: true }).temporal.kind).toBe('local');
  });
});

describe('the folders', () => {
  it('follow XDG, one state folder per host', () => {
    expect(defaultStateDir(machine({ XDG_STATE_HOME: `${root}/state` }))).toBe(
      join(root, 'state/waybill/host-1'),
    );
    expect(defaultStateDir(machine({ HOME: home }))).toBe(
      join(home, '.local/state/waybill/host-1'),
    );
  });

  it('are in a per-user temp folder without HOME, which must be ours', () => {
    const expected = join(root, `waybill-${process.getuid?.()}`);
    expect(defaultStateDir(machine({}))).toBe(join(expected, 'state/host-1'));
    mkdirSync(expected);
    chmodSync(expected, 0o777);
    expect(() => defaultStateDir(machine({}))).toThrow('WAYBILL_STATE_DIR');
  });
});

describe('the surroundings', () => {
  it('make the service part of the command in CI and as process 1', () => {
    expect(inlineReason(machine({ CI: 'true' }))).toBe('CI is set');
    expect(inlineReason({ ...machine({}), processId: 1 })).toBe('this is process 1');
  });

  it('rule 2: give the service no credential and nothing that changes what node runs', () => {
    const env = { PATH: '/bin', LC_ALL: 'C', AWS_SECRET_ACCESS_KEY: 'x', NODE_OPTIONS: '-r x' };
    expect(scrubbedEnvironment(env)).toEqual({ PATH: '/bin', LC_ALL: 'C' });
  });
});

describe('what the terminal can show', () => {
  const utf8 = { LANG: 'en_US.UTF-8' };
  it.each([
    ['a terminal', true, utf8, { hasColor: true, isUnicode: true, hasCursor: true }],
    ['no terminal', false, utf8, { hasColor: false }],
    ['NO_COLOR', true, { ...utf8, NO_COLOR: '1' }, { hasColor: false, hasCursor: true }],
    ['an empty NO_COLOR', true, { NO_COLOR: '' }, { hasColor: true }],
    ['FORCE_COLOR without a terminal', false, { FORCE_COLOR: '1' }, { hasColor: true }],
    ['FORCE_COLOR=0', false, { FORCE_COLOR: '0' }, { hasColor: false }],
    ['NO_COLOR over FORCE_COLOR', true, { NO_COLOR: '1', FORCE_COLOR: '1' }, { hasColor: false }],
    ['TERM=dumb', true, { TERM: 'dumb' }, { hasColor: false, hasCursor: false }],
    ['no locale', true, {}, { isUnicode: false }],
    ['LC_ALL over LANG', true, { ...utf8, LC_ALL: 'C' }, { isUnicode: false }],
    ['xterm itself', true, { XTERM_VERSION: 'XTerm(379)' }, { reflows: false }],
  ])('is read off the environment: %s', (_what, isTerminal, env, expected) => {
    expect(terminalHints(isTerminal, env)).toMatchObject(expected);
  });
});
