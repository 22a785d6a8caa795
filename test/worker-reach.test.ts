import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readConfig } from '../src/config.js';
import type { PullRequest } from '../src/model/pull.js';
import type { Reach } from '../src/transfer/reach.js';
import { clusterReach } from '../src/worker-reach.js';

let home: string;

beforeAll(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-sites-')));
  for (const name of ['lab', 'plant', 'waybill']) mkdirSync(join(home, name));
  const lines = [`[worker]`, `roots = ["${join(home, 'plant')}"]`, '[sites.lab]'];
  lines.push(`roots = ["${join(home, 'lab')}"]`);
  writeFileSync(join(home, 'waybill/waybill.toml'), lines.join('\n'));
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('rule 4: a worker of a site', () => {
  it.each([
    ['lab', {}, 'lab', 'plant'],
    ['other', {}, 'plant', 'lab'],
    [undefined, {}, 'plant', 'lab'],
    ['lab', { WAYBILL_ROOTS: 'plant' }, 'plant', 'lab'],
  ])('called %s with %j writes below its own roots only', async (site, env, inside, outside) => {
    const given = Object.entries(env).map(([name, folder]) => [name, join(home, folder)] as const);
    const all = { XDG_CONFIG_HOME: home, ...Object.fromEntries(given) };
    const reach = clusterReach(readConfig({ env: all, cwd: home }), site);
    await expect(reach.checkDestination(join(home, inside, 'x'))).resolves.toBeUndefined();
    await expect(reach.checkDestination(join(home, outside, 'x'))).rejects.toMatchObject({
      code: 'WB_PERMISSION_DENIED',
    });
  });
});

describe('rule 4: a worker that serves anybody', () => {
  const asked = (settings: Readonly<Record<string, string>>): PullRequest =>
    ({ source: { uri: 'gs://models/churn', settings } }) as unknown as PullRequest;
  const reach = (): Reach =>
    clusterReach(readConfig({ env: { XDG_CONFIG_HOME: home }, cwd: home }));

  it('asks Google as nobody, so that nothing of its machine is found', async () => {
    const { settings, secrets } = await reach().connect(asked({}), undefined);
    expect(settings).toMatchObject({ GS_NO_SIGN_REQUEST: 'true' });
    expect(secrets).toEqual({});
  });

  it.each(['GOOGLE_APPLICATION_CREDENTIALS', 'CLOUDSDK_CONFIG'])(
    'does not take %s from a caller: it would name a file of the worker',
    async (name) => {
      await expect(reach().connect(asked({ [name]: '/key.json' }), undefined)).rejects.toThrow(
        name,
      );
    },
  );

  it.each([
    ['sftp', 'WAYBILL_SFTP_PASSWORD', 'sftp://models@h.example/ml'],
    ['ftp', 'WAYBILL_FTP_PASSWORD', 'ftp://h.example/ml'],
    ['hdfs', 'WAYBILL_HDFS_PASSWORD', 'swebhdfs://h.example/ml'],
  ])(
    'sends a password of a connection over %s only where the connection says',
    async (type, variable, prefix) => {
      const reachOf = (...lines: readonly string[]): Reach => {
        const config = join(home, `${type}-${lines.length}`, 'waybill');
        mkdirSync(config, { recursive: true });
        const key = variable.replace('WAYBILL_', '').toLowerCase();
        const table = ['[connections.nas]', `type = "${type}"`, `${key}_file = "nas.secret"`];
        writeFileSync(join(config, 'nas.secret'), 'a secret', { mode: 0o600 });
        writeFileSync(join(config, 'waybill.toml'), [...table, ...lines].join('\n'));
        return clusterReach(readConfig({ env: { XDG_CONFIG_HOME: dirname(config) }, cwd: home }));
      };
      const source = { uri: `${prefix}/churn`, settings: {}, connection: 'nas' };
      const request = { source } as unknown as PullRequest;
      await expect(reachOf().connect(request, undefined)).rejects.toMatchObject({
        code: 'WB_CONFIG_INVALID',
        message: expect.stringContaining('names no prefixes') as unknown,
      });
      const limited = reachOf(`prefixes = ["${prefix}"]`);
      const { settings, secrets } = await limited.connect(request, undefined);
      expect(secrets).toMatchObject({ [variable]: 'a secret' });
      await limited.checkSource(source.uri, source.uri, settings);
      const outside = `${prefix}/../private`;
      await expect(limited.checkSource(outside, outside, settings)).rejects.toMatchObject({
        code: 'WB_PERMISSION_DENIED',
      });
    },
  );
});
