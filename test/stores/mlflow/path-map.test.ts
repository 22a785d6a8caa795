/** What a record that lies can reach through a map of paths: nothing outside of the folder that the map names. */
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mapPath } from '../../../src/stores/lib/path-map.js';
import { failureOf, resolve } from './bench.js';

const RUN = 'b'.repeat(32);
let home: string;

beforeAll(async () => {
  home = await realpath(await mkdtemp(join(tmpdir(), 'waybill-map-')));
  await mkdir(join(home, 'mount/ok'), { recursive: true });
  await mkdir(join(home, 'secret'));
  await writeFile(join(home, 'secret/key'), 'private');
  await symlink(join(home, 'secret'), join(home, 'mount/link'));
});
afterAll(() => rm(home, { recursive: true, force: true }));

/** A run of a folder of records, with the artifact root that its record claims. */
async function at(artifactUri: string, path = ''): Promise<string> {
  const folder = join(home, 'mlruns/1', RUN);
  await mkdir(folder, { recursive: true });
  const record = { artifact_uri: artifactUri, experiment_id: '1', run_id: RUN };
  await writeFile(join(folder, 'meta.yaml'), JSON.stringify(record));
  const settings = {
    WAYBILL_PATH_MAP: `/home/alice=${home}/mount,mlflow-artifacts:/=${home}/mount`,
  };
  return (await resolve(`file://${home}/mlruns`, `runs:/${RUN}${path}`, { settings })).uri;
}

describe('rule 4: a map of paths', () => {
  it.each([
    'file:///home/alice/ok',
    '/home/alice/ok',
    '/home/alice/./x/../ok',
    'mlflow-artifacts:/ok',
  ])('leads %s into its folder', async (root) => {
    expect(await at(root)).toBe(pathToFileURL(join(home, 'mount/ok')).href);
  });

  it.each([
    'file:///home/alice/../secret',
    '/home/alice/../secret',
    '/home/alice/ok/../../secret',
    'file:///home/alice/%2e%2e/secret',
    '/home/alice/link',
    'mlflow-artifacts:/../secret',
  ])('does not let %s out of it', async (root) => {
    await failureOf('WB_NOT_FOUND', at(root));
  });

  it('says nothing of a folder that only begins alike, nor of another scheme', () => {
    const entries = [{ from: '/home/alice', to: '/mnt' }];
    expect(mapPath(entries, '/home/alice2/x', '')).toBeUndefined();
    expect(mapPath(entries, 's3://home/alice/x', '')).toBeUndefined();
    expect(mapPath(entries, '/home/alice', 'a/b')?.path).toBe('/mnt/a/b');
    expect(mapPath([{ from: 'dbfs:/mnt', to: '/mnt' }], 'dbfs:/mnt/x', '')?.path).toBe('/mnt/x');
  });
});
