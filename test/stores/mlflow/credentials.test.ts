/** Who gets the credentials of a tracking server: that server alone, and in the form that it wants. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { readCredentialsFile } from '../../../src/stores/mlflow/credentials-file.js';
import { applyPageUrl } from '../../../src/stores/mlflow/page-url.js';
import { startCutServer } from '../../helpers/cut-server.js';
import type { CutRequest, CutServer } from '../../helpers/cut-server.js';
import { ADMIN, basicAuth } from '../../helpers/mlflow-auth.js';
import { startMlflow } from '../../helpers/mlflow.js';
import type { Mlflow } from '../../helpers/mlflow.js';
import { failureOf, filesOf, open, resolve, textOf, withReference } from './bench.js';

const SECRETS = { ...ADMIN };
const PASSWORD = SECRETS.MLFLOW_TRACKING_PASSWORD;
const BASIC = `Basic ${Buffer.from(`admin:${PASSWORD}`).toString('base64')}`;
const TOKEN = { MLFLOW_TRACKING_TOKEN: 'a-secret-token' };

async function credentialsFile(text: string): Promise<string> {
  const place = join(await mkdtemp(join(tmpdir(), 'waybill-credentials-')), 'credentials');
  await writeFile(place, text);
  return place;
}

describe('a server with basic-auth', () => {
  let mlflow: Mlflow;
  let runId: string;

  beforeAll(async () => {
    mlflow = await startMlflow(await basicAuth());
    const code = [
      'import mlflow, sys',
      'with mlflow.start_run() as run:',
      '    mlflow.log_text("hello", "notes.txt")',
      'print("RUN", run.info.run_id)',
    ].join('\n');
    runId = /RUN (\w+)/.exec(await mlflow.python(code))?.[1] ?? '';
  }, 180_000);
  afterAll(() => mlflow.stop());

  it('is read with name and password', () =>
    withReference(
      mlflow.uri,
      `runs:/${runId}`,
      async (store) => {
        expect(await filesOf(store)).toEqual(['notes.txt']);
        expect(await textOf(store, 'notes.txt')).toBe('hello');
      },
      { secrets: SECRETS },
    ));

  it("is read with the password of MLflow's own credentials file", async () => {
    const place = await credentialsFile(
      `[mlflow]\nmlflow_tracking_username = admin\nmlflow_tracking_password = ${PASSWORD}\n`,
    );
    const secrets = readCredentialsFile(place);
    expect(secrets).toEqual(SECRETS);
    await withReference(
      mlflow.uri,
      `runs:/${runId}`,
      async (store) => {
        expect(await textOf(store, 'notes.txt')).toBe('hello');
      },
      { secrets },
    );
    expect(readCredentialsFile(`${place}-absent`)).toEqual({});
    expect(readCredentialsFile(await credentialsFile('[other]\nx = 1\n'))).toEqual({});
  });

  it.each([
    ['none', {}],
    ['a wrong one', { ...SECRETS, MLFLOW_TRACKING_PASSWORD: 'wrong-password' }],
  ])(
    'says what to set where the password is %s, and does not call it missing',
    async (_, secrets) => {
      const asked = resolve(mlflow.uri, `runs:/${runId}`, { secrets });
      const error = await failureOf('WB_UNAUTHENTICATED', asked);
      expect(error.message).toContain('MLFLOW_TRACKING_USERNAME');
      expect(error.message).not.toContain('wrong-password');
      expect(error.scope).toBe('source');
      const path = mlflow.uri.replace('http://', 'mlflow-artifacts://');
      const store = await open(mlflow.uri, { uri: `${path}/0/${runId}/artifacts` }, { secrets });
      await failureOf('WB_UNAUTHENTICATED', store.stat('notes.txt'));
      await failureOf('WB_UNAUTHENTICATED', store.openRead('notes.txt'));
      await store.close();
    },
  );
});

describe('credentials', () => {
  /** Plays the tracking server, with answers that a real one gives only to an attacker. */
  let ours: CutServer;
  /** Another host, which records what it is sent. */
  let theirs: CutServer;

  beforeEach(async () => {
    [ours, theirs] = await Promise.all([startCutServer(), startCutServer()]);
  });
  afterEach(() => Promise.all([ours.stop(), theirs.stop()]));

  const json = (body: unknown, status = 200) => ({
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

  function serveRun(artifactUri: string): void {
    const info = { run_id: 'r', experiment_id: '1', status: 'FINISHED', artifact_uri: artifactUri };
    ours.serve('/api/2.0/mlflow/runs/get', json({ run: { info } }));
  }

  function serveArtifacts(server: CutServer, presigned: boolean): void {
    server.serve('/api/3.0/mlflow/server-info', json({ multipart_downloads_enabled: presigned }));
    const files = [{ path: 'f.bin', is_dir: false, file_size: 5 }];
    server.serve('/api/2.0/mlflow-artifacts/artifacts', json({ files }));
    const headers = { 'content-disposition': 'attachment; filename=f.bin' };
    server.serve('/api/2.0/mlflow-artifacts/artifacts/1/r/f.bin', { headers, body: 'hello' });
  }

  const authorizations = (server: CutServer): (string | undefined)[] =>
    server.requests.map(({ headers }: CutRequest) => headers.authorization);

  it.each([
    ['name and password, which win over a token', { ...SECRETS, ...TOKEN }, BASIC],
    ['a token', TOKEN, 'Bearer a-secret-token'],
    [
      'a name without a password, and a token',
      { MLFLOW_TRACKING_USERNAME: 'me', ...TOKEN },
      'Bearer a-secret-token',
    ],
  ])('are %s', async (_, secrets, expected) => {
    serveRun('mlflow-artifacts:/1/r');
    serveArtifacts(ours, false);
    const settings = { MLFLOW_WORKSPACE: 'team-a' };
    await withReference(ours.url, 'runs:/r', (store) => textOf(store, 'f.bin'), {
      secrets,
      settings,
    });
    expect(new Set(authorizations(ours))).toEqual(new Set([expected]));
    expect(ours.requests.every(({ headers }) => headers['x-mlflow-workspace'] === 'team-a')).toBe(
      true,
    );
  });

  it.each(['mlflow-artifacts://HOST/1/r', 'http://HOST/api/2.0/mlflow-artifacts/artifacts/1/r'])(
    'rule 4: do not follow an artifact_uri to another host: %s',
    async (form) => {
      serveRun(form.replace('HOST', new URL(theirs.url).host));
      serveArtifacts(theirs, false);
      const extra = { secrets: SECRETS, settings: { MLFLOW_WORKSPACE: 'team-a' } };
      await withReference(
        ours.url,
        'runs:/r',
        async (store, { facts }) => {
          expect(await filesOf(store)).toEqual(['f.bin']);
          expect(await textOf(store, 'f.bin')).toBe('hello');
          expect(facts?.['warning']).toContain('gets no credentials');
        },
        extra,
      );
      expect(new Set(authorizations(ours))).toEqual(new Set([BASIC]));
      expect(theirs.requests.length).toBeGreaterThan(2);
      expect(new Set(authorizations(theirs))).toEqual(new Set([undefined]));
      expect(
        theirs.requests.every(({ headers }) => headers['x-mlflow-workspace'] === undefined),
      ).toBe(true);
    },
  );

  it('rule 4: do not follow a presigned address', async () => {
    serveRun('mlflow-artifacts:/1/r');
    serveArtifacts(ours, true);
    const url = `${theirs.url}/bucket/f.bin?X-Amz-Expires=60&X-Amz-Signature=s`;
    const answer = { url, headers: { 'x-amz-extra': 'yes' }, file_size: 5 };
    ours.serve('/api/2.0/mlflow-artifacts/presigned/1/r/f.bin', json(answer));
    const range = { 'content-range': 'bytes 0-0/5', etag: '"v1"' };
    theirs.serve('/bucket/f.bin', ({ headers }) =>
      headers.range === undefined
        ? { headers: { etag: '"v1"' }, body: 'hello' }
        : { status: 206, headers: range, body: 'h' },
    );
    await withReference(
      ours.url,
      'runs:/r',
      async (store, { transport }) => {
        expect(transport).toMatch(/^presigned/);
        expect(await textOf(store, 'f.bin')).toBe('hello');
      },
      { secrets: SECRETS },
    );
    expect(new Set(authorizations(theirs))).toEqual(new Set([undefined]));
    expect(theirs.requests.every(({ headers }) => headers['x-amz-extra'] === 'yes')).toBe(true);
  });

  it('rule 4: do not follow a redirect', async () => {
    const location = `${theirs.url}/login?next=runs`;
    ours.serve('/api/2.0/mlflow/runs/get', { status: 302, headers: { location } });
    const asked = resolve(ours.url, 'runs:/r', { secrets: SECRETS });
    const error = await failureOf('WB_SIGN_IN_PAGE', asked);
    expect(error.message).toContain(new URL(theirs.url).origin);
    expect(theirs.requests).toEqual([]);
  });

  it("rule 4: do not go to the server of a page's URL where another was configured", async () => {
    const info = { run_id: 'r', experiment_id: '1', artifact_uri: 'mlflow-artifacts:/1/r' };
    theirs.serve('/api/2.0/mlflow/runs/get', json({ run: { info } }));
    serveArtifacts(theirs, false);
    const page = applyPageUrl(`${theirs.url}/#/experiments/1/runs/r`, {
      MLFLOW_TRACKING_URI: ours.url,
    });
    expect(page?.uri).toBe('runs:/r');
    const settings = page?.settings ?? {};
    await resolve(theirs.url, 'runs:/r', { settings, secrets: SECRETS });
    expect(new Set(authorizations(theirs))).toEqual(new Set([undefined]));
  });

  it('a login page in front of the server is told from a file, and from an answer', async () => {
    const page = { headers: { 'content-type': 'text/html' }, body: '<html>Sign in</html>' };
    ours.serve('/api/2.0/mlflow/runs/get', page);
    const error = await failureOf('WB_SIGN_IN_PAGE', resolve(ours.url, 'runs:/r'));
    expect(error.scope).toBe('source');
    ours.serve('/api/2.0/mlflow-artifacts/artifacts/1/f.bin', page);
    const store = await open(ours.url, { uri: `mlflow-artifacts://${new URL(ours.url).host}/1` });
    await failureOf('WB_SIGN_IN_PAGE', store.openRead('f.bin'));
    await store.close();
  });

  it('rule 24: a listing that repeats its page token ends', async () => {
    const files = [{ path: 'f.bin', is_dir: false, file_size: 5 }];
    ours.serve('/api/2.0/mlflow-artifacts/artifacts', json({ files, next_page_token: 'again' }));
    const store = await open(ours.url, { uri: `mlflow-artifacts://${new URL(ours.url).host}/1` });
    const error = await failureOf('WB_UNAVAILABLE', filesOf(store));
    expect(error.message).toContain('its page token came twice');
    await store.close();
  });

  it.each(['.', '..', '../up', ''])(
    'rule 24: a folder listed as %j is not followed',
    async (path) => {
      const files = [
        { path, is_dir: true },
        { path: 'f.bin', is_dir: false, file_size: 5 },
      ];
      ours.serve('/api/2.0/mlflow-artifacts/artifacts', json({ files }));
      const store = await open(ours.url, { uri: `mlflow-artifacts://${new URL(ours.url).host}/1` });
      if (path === '') expect(await filesOf(store)).toEqual(['f.bin']);
      else await failureOf('WB_UNSAFE_PATH', filesOf(store));
      await store.close();
    },
  );

  it('rule 24: folders without end are refused at the depth that is allowed', async () => {
    const files = [{ path: 'down', is_dir: true }];
    ours.serve('/api/2.0/mlflow-artifacts/artifacts', json({ files }));
    const store = await open(ours.url, { uri: `mlflow-artifacts://${new URL(ours.url).host}/1` });
    const error = await failureOf('WB_UNSAFE_PATH', filesOf(store));
    expect(error.scope).toBe('source');
    await store.close();
  });
});
