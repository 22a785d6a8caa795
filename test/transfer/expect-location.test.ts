import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { StoreRegistry } from '../../src/stores/registry.js';
import type { StoreAddress } from '../../src/stores/store.js';
import { startProgress } from '../../src/transfer/api.js';
import { readLocation } from '../../src/transfer/list-location.js';
import { sendAll, startCutServer } from '../helpers/cut-server.js';
import type { CutServer } from '../helpers/cut-server.js';

const SUMS = `${'a'.repeat(64)}  model.bin\n`;
let home: CutServer;
let other: CutServer;

beforeAll(async () => {
  [home, other] = await Promise.all([startCutServer(), startCutServer()]);
  for (const server of [home, other]) server.serve('/x/SHA256SUMS', sendAll(SUMS));
});
afterAll(() => Promise.all([home.stop(), other.stop()]));

const source = (): StoreAddress => ({
  uri: `${home.url}/model.bin`,
  settings: {},
  secrets: {
    username: 'ada',
    password: 'hunter2',
    query: 'sig=abc',
    WAYBILL_HTTP_TOKEN: 'token',
  },
});

async function textOf(location: string, from = source()): Promise<string> {
  const context = {
    attempt: 1,
    signal: new AbortController().signal,
    progress: startProgress('listing'),
  };
  const body: Readable = await readLocation(location, from, new StoreRegistry(), context);
  let text = '';
  for await (const chunk of body) text += String(chunk);
  return text;
}

describe('the list that --expect names', () => {
  it('rule 4: is asked of another host without what the source address held', async () => {
    expect(await textOf(`${other.url}/x/SHA256SUMS`)).toBe(SUMS);
    const [request] = other.requests;
    expect(request?.headers.authorization).toBeUndefined();
    expect(request?.query.toString()).toBe('');
  });

  it('is asked of the own host with its password', async () => {
    expect(await textOf(`${home.url}/x/SHA256SUMS`)).toBe(SUMS);
    expect(home.requests[0]?.headers.authorization).toMatch(/^Basic /);
    expect(home.requests[0]?.query.toString()).toBe('');
  });

  it('rule 4: is asked of another host with a token only where the token is bound to it', async () => {
    const { secrets } = source();
    const bound = {
      uri: `${home.url}/model.bin`,
      settings: { WAYBILL_HTTP_TOKEN_HOST: '127.0.0.1' },
      secrets: { WAYBILL_HTTP_TOKEN: secrets['WAYBILL_HTTP_TOKEN'] ?? '' },
    };
    await textOf(`${other.url}/x/SHA256SUMS`, bound);
    expect(other.requests.at(-1)?.headers.authorization).toBe('Bearer token');
    await textOf(`${other.url}/x/SHA256SUMS`, { ...bound, settings: {} });
    expect(other.requests.at(-1)?.headers.authorization).toBeUndefined();
  });

  it('is refused where its end cannot be told from a cut: less would be expected', async () => {
    other.serve('/cut', { body: SUMS, framing: 'close' });
    await expect(textOf(`${other.url}/cut`)).rejects.toMatchObject({ code: 'WB_UNPROVEN_LENGTH' });
  });

  it('may be a path with any name', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'waybill-expect-')), 'sums #1? 100%.txt');
    writeFileSync(file, SUMS);
    expect(await textOf(file)).toBe(SUMS);
  });
});
