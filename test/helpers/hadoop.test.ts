import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startHadoop } from './hadoop.js';
import type { Hadoop } from './hadoop.js';

const BODY = Buffer.from(Array.from({ length: 3 * 1024 * 1024 + 7 }, (_, at) => (at * 7919) % 251));

describe('a Hadoop cluster of the tests', () => {
  let hadoop: Hadoop;
  beforeAll(async () => {
    hadoop = await startHadoop({ dataNodes: 2 });
    await hadoop.putFile('/models/a b.bin', BODY);
  });
  afterAll(() => hadoop.stop());

  const url = (path: string, query: string): string =>
    `http://127.0.0.1:${hadoop.port}/webhdfs/v1${path}?${query}`;

  it('sends whoever opens a file to a data node, which gives the asked bytes across blocks', async () => {
    const asked = url('/models/a%20b.bin', 'op=OPEN&offset=1048570&length=1048600');
    const redirect = await fetch(asked, { redirect: 'manual' });
    const location = redirect.headers.get('location') ?? '';
    expect(redirect.status).toBe(307);
    expect(hadoop.dataNodes.map(({ http }) => String(http))).toContain(new URL(location).port);
    const got = Buffer.from(await (await fetch(location)).arrayBuffer());
    expect(got.equals(BODY.subarray(1_048_570, 1_048_570 + 1_048_600))).toBe(true);
  });

  it('gives the checksum of the file in the way that a client may ask for', async () => {
    const answer = await fetch(url('/models/a%20b.bin', 'op=GETFILECHECKSUM'));
    expect(await answer.json()).toMatchObject({
      FileChecksum: { algorithm: 'MD5-of-2048MD5-of-512CRC32C', length: 28 },
    });
  });
});
