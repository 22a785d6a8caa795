import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeAuthority } from './certificates.js';
import type { Authority } from './certificates.js';
import { startHadoop } from './hadoop.js';
import type { Hadoop } from './hadoop.js';
import { scratchFolder } from './processes.js';

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

describe('a name service of the tests', () => {
  let folder: string;
  let authority: Authority;
  let hadoop: Hadoop;
  beforeAll(async () => {
    folder = scratchFolder('hadoop-tls');
    authority = makeAuthority(folder);
    hadoop = await startHadoop({ nameService: 'models', tls: authority.issue('server') });
    await hadoop.putFile('/a', 'abc');
  });
  afterAll(async () => {
    await hadoop.stop();
    rmSync(folder, { recursive: true });
  });

  it('answers over TLS, at the name node that is active now', async () => {
    const ask = (node: number): Promise<string> =>
      curl(
        authority,
        `https://127.0.0.1:${hadoop.nameNodes[node]?.https ?? 0}/webhdfs/v1/a?op=OPEN`,
      );
    expect(await ask(0)).toBe('abc');
    expect(await ask(1)).toContain('StandbyException');
    await hadoop.setStandby(0);
    await hadoop.setActive(1);
    expect(await ask(0)).toContain('StandbyException');
    expect(await ask(1)).toBe('abc');
  });
});

async function curl({ certFile }: Authority, url: string): Promise<string> {
  const args = ['--silent', '--location', '--cacert', certFile, url];
  return (await promisify(execFile)('curl', args)).stdout;
}
