/**
 * The second version of MLRun's API, against what a server of 1.7 answered: `answers-1.7.json` says which, and with what it was
 * asked. The last server that can be installed speaks the first version only.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startCutServer, type CutReply, type CutServer } from '../../helpers/cut-server.js';
import { openWaybill, type WaybillBed, type WaybillRun } from '../../helpers/waybill.js';

const RECORDED = fileURLToPath(
  new URL('../../../../test/stores/mlrun/answers-1.7.json', import.meta.url),
);

interface Recorded {
  readonly answers: Readonly<Record<string, { readonly status: number; readonly body: unknown }>>;
}

const { answers } = JSON.parse(readFileSync(RECORDED, 'utf8')) as Recorded;

/** Of the version that was logged as v1. */
const UID = 'b578cf49e1cfa73b66daf9384c127ffb11171e7e';
const TREE = '24931246-ee2a-4817-91ab-9b75f7c9bd6b';

let server: CutServer;
let bed: WaybillBed;

function reply(path: string, query: URLSearchParams): CutReply {
  const asked = [...query].map(([name, value]) => `${name}=${value}`).join('&');
  const found = answers[asked === '' ? path : `${path}?${asked}`];
  const { status, body } = found ?? { status: 404, body: { detail: 'Not Found' } };
  const headers = { 'Content-Type': 'application/json' };
  return { status, body: JSON.stringify(body), headers };
}

beforeAll(async () => {
  server = await startCutServer();
  server.serveRest(({ path, query }) => reply(path, query));
  bed = openWaybill();
  const data = join(bed.dir, 'data/p1');
  mkdirSync(join(data, 'mod'), { recursive: true });
  // What the folder held when the answers were recorded: the second version had been written over the first.
  writeFileSync(join(data, 'plain.txt'), 'hello world');
  writeFileSync(join(data, 'mod/m.pkl'), 'model'.repeat(100));
  for (const name of ['notes', 'extra.txt', 'model_spec.yaml']) {
    writeFileSync(join(data, 'mod', name), name);
  }
}, 120_000);

afterAll(async () => {
  await bed.close();
  await server.stop();
  rmSync(bed.dir, { recursive: true, force: true });
});

function run(...args: readonly string[]): Promise<WaybillRun> {
  const env = { MLRUN_DBPATH: server.url, WAYBILL_PATH_MAP: `/data=${join(bed.dir, 'data')}` };
  return bed.run([...args, '--json'], { env });
}

describe('a version', () => {
  it('is found by its tag, and pulled as that one, whatever the tag means by then', async () => {
    const to = join(bed.dir, 'latest');
    const done = await run('pull', 'store://p1/plain', to);
    expect(done.result).toMatchObject({ ok: true });
    expect(readFileSync(to, 'utf8')).toBe('hello world');
    const receipt = readFileSync(join(bed.dir, '.latest.waybill/receipt.json'), 'utf8');
    expect(JSON.parse(receipt)).toMatchObject({
      levels: { provider: 1 },
      source: { facts: { api: 'v2', tag: 'latest' } },
    });
    expect(receipt).toMatch(/"resolved": "mlrun:[^"]*&uid=[0-9a-f]{40}/u);
  });

  it.each([
    `store://p1/plain:v1`,
    `store://p1/plain^${UID}`,
    `store://p1/plain@${TREE}`,
    // As releases before 1.6 wrote it: the producer's id in the place of the tag.
    `store://artifacts/p1/plain:${TREE}`,
    `store://p1/plain@${TREE}^${UID}`,
  ])('%s is the one that was overwritten', async (uri) => {
    // Another source is another destination.
    const to = join(bed.dir, uri.replaceAll(/\W/gu, '-'));
    const done = await run('pull', uri, to);
    expect(done.result).toMatchObject({ ok: false, exitCode: 6, code: 'WB_VERSION_OVERWRITTEN' });
  });

  it('that is not there says which are', async () => {
    const done = await run('ls', 'store://p1/plain:v9');
    expect(done.result).toMatchObject({ exitCode: 4, code: 'WB_NOT_FOUND' });
    expect(done.stdout).toMatch(/there is plain:v1, plain:latest, plain:v2/u);
  });
});

it('lists what a project has', async () => {
  const done = await run('ls', 'store://p1');
  const uris = done.events.map(({ uri }) => uri);
  expect(uris).toEqual(
    expect.arrayContaining([
      'store://artifacts/p1/hyp_it#2:latest',
      'store://models/p1/mod:latest',
      'store://feature-vectors/p1/fvec:latest',
    ]),
  );
});
