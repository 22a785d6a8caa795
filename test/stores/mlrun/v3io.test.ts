/**
 * `v3io:` against a scripted web API: no server of Iguazio's platform can be had. Its answers have the form that the platform's
 * own client (PyPI's v3io 0.5.23) reads, and are asked for as that client does.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { StoreRegistry } from '../../../src/stores/registry.js';
import type { ConnectionSecrets, Store } from '../../../src/stores/store.js';
import {
  serveFile,
  startCutServer,
  type CutReply,
  type CutServer,
} from '../../helpers/cut-server.js';

const KEY = '5c1b2f3e-0d4a-4c6b-8e7f-90a1b2c3d4e5';
const ETAG = '"v1"';
const MODIFIED = 'Thu, 26 Nov 2026 10:00:00 GMT';

/** In the container `projects`. */
const FILES: Readonly<Record<string, string>> = {
  'churn/model/m.pkl': 'model',
  'churn/model/plots/a b.html': 'plot',
  'churn/model/z.txt': '',
};

let server: CutServer;

/** One level, two entries a page. */
function listing(prefix: string, marker: string | null): CutReply {
  const below = Object.keys(FILES).filter((key) => key.startsWith(prefix));
  const names = [
    ...new Set(below.map((key) => /^[^/]*\/?/u.exec(key.slice(prefix.length))?.[0] ?? '')),
  ];
  const from = Number(marker ?? 0);
  const page = names.slice(from, from + 2).map((name) => prefix + name);
  const isCut = from + 2 < names.length;
  const contents = page
    .filter((key) => !key.endsWith('/'))
    .map(
      (key) =>
        `<Contents><Key>${key}</Key><Size>${FILES[key]?.length ?? 0}</Size>` +
        '<LastModified>2026-11-26T10:00:00.000Z</LastModified></Contents>',
    );
  const prefixes = page
    .filter((key) => key.endsWith('/'))
    .map((key) => `<CommonPrefixes><Prefix>${key}</Prefix></CommonPrefixes>`);
  const body =
    `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>projects</Name>` +
    `<NextMarker>${isCut ? from + 2 : ''}</NextMarker><MaxKeys>2</MaxKeys>` +
    `<IsTruncated>${isCut}</IsTruncated>${contents.join('')}${prefixes.join('')}</ListBucketResult>`;
  return { body, headers: { 'Content-Type': 'application/xml' } };
}

beforeAll(async () => {
  server = await startCutServer();
});

beforeEach(() => {
  server.serveRest((request) => {
    if (request.headers['x-v3io-session-key'] !== KEY) return { status: 401, body: 'no' };
    if (request.path === '/projects') {
      return listing(request.query.get('prefix') ?? '', request.query.get('marker'));
    }
    const key = decodeURIComponent(request.path).slice('/projects/'.length);
    const text = FILES[key];
    if (text === undefined) return { status: 404, body: 'nothing' };
    return serveFile(Buffer.from(text), { etag: ETAG, lastModified: MODIFIED })(request);
  });
});

afterAll(() => server.stop());

const registry = new StoreRegistry();

async function withStore<T>(
  uri: string,
  use: (store: Store) => Promise<T>,
  secrets: ConnectionSecrets = { V3IO_ACCESS_KEY: KEY },
): Promise<T> {
  const store = await registry.open({ uri, settings: { V3IO_API: server.url }, secrets });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

async function pathsOf(store: Store, recursive: boolean): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path, kind } of store.list('', { recursive })) {
    paths.push(kind === 'directory' ? `${path}/` : path);
  }
  return paths.sort();
}

async function textOf(store: Store, path: string, from?: number): Promise<string> {
  const { body } = await store.openRead(path, from === undefined ? {} : { offsetBytes: from });
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

describe('a folder', () => {
  it('is listed level by level, page by page', () =>
    withStore('v3io:///projects/churn/model', async (store) => {
      expect(await store.stat('')).toEqual({ path: '', kind: 'directory' });
      expect(await pathsOf(store, false)).toEqual(['m.pkl', 'plots/', 'z.txt']);
      expect(await pathsOf(store, true)).toEqual(['m.pkl', 'plots/', 'plots/a b.html', 'z.txt']);
    }));

  it('that is not there is not found, with its name', () =>
    withStore('v3io:///projects/nobody', async (store) => {
      await expect(store.stat('')).rejects.toMatchObject({ code: 'WB_NOT_FOUND', scope: 'source' });
    }));

  it('whose listing is cut, or is no listing, is no folder', async () => {
    for (const body of ['<ListBucketResult><Contents><Key>a', '<html></html>', '']) {
      server.serveRest(({ method }) => (method === 'HEAD' ? { status: 404 } : { body }));
      await withStore('v3io:///projects/churn', async (store) => {
        await expect(store.stat('')).rejects.toMatchObject({ code: 'WB_UNAVAILABLE' });
      });
    }
  });
});

describe('a file', () => {
  it('is described and read, from the middle too', () =>
    withStore('v3io:///projects/churn/model', async (store) => {
      expect(await store.stat('m.pkl')).toMatchObject({
        kind: 'file',
        sizeBytes: 5,
        pin: { strength: 'strong', value: `etag:${ETAG}` },
      });
      expect(await textOf(store, 'm.pkl')).toBe('model');
      expect(await textOf(store, 'm.pkl', 2)).toBe('del');
      expect(await textOf(store, 'plots/a b.html')).toBe('plot');
      expect(await textOf(store, 'z.txt')).toBe('');
    }));

  it('is the whole source where the address names it', () =>
    withStore('v3io:///projects/churn/model/m.pkl', async (store) => {
      expect(await store.stat('')).toMatchObject({ kind: 'file', sizeBytes: 5 });
      expect(await textOf(store, '')).toBe('model');
    }));
});

describe('who asks', () => {
  it('rule 4: the key goes to the configured API, and to no host that an address names', async () => {
    const other = await startCutServer();
    other.serveRest({ status: 401 });
    try {
      await withStore(`v3io://127.0.0.1:${other.port}/projects/x`, async (store) => {
        await expect(store.stat('')).rejects.toMatchObject({ code: 'WB_UNAUTHENTICATED' });
      });
      expect(other.requests.length).toBeGreaterThan(0);
      for (const { headers } of other.requests) {
        expect(headers['x-v3io-session-key']).toBeUndefined();
      }
    } finally {
      await other.stop();
    }
  });

  it('a wrong key and a missing one are told, without the key', async () => {
    const uri = 'v3io:///projects/churn/model';
    const wrong = '00000000-0d4a-4c6b-8e7f-90a1b2c3d4e5';
    const refusal = (secrets: ConnectionSecrets): Promise<unknown> =>
      withStore(uri, (store) => store.stat('m.pkl').catch((error: unknown) => error), secrets);
    const refused = await refusal({ V3IO_ACCESS_KEY: wrong });
    expect(refused).toMatchObject({ code: 'WB_UNAUTHENTICATED' });
    expect(String(refused)).toContain('does not accept V3IO_ACCESS_KEY');
    expect(String(refused)).not.toContain(wrong);
    const nobody = await refusal({});
    expect(String(nobody)).toContain('set V3IO_ACCESS_KEY');
  });

  it('without a web API says which variable names it', async () => {
    const address = { uri: 'v3io:///projects/x', settings: {}, secrets: {} };
    await expect(registry.open(address)).rejects.toMatchObject({ code: 'WB_CONFIG_INVALID' });
  });
});
