import { get } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cut, sendAll, serveFile, startCutServer } from './cut-server.js';
import type { CutServer } from './cut-server.js';

const FILE = Buffer.from('0123456789'.repeat(10));

/** node's own client tells a body that ended from one that was cut; the global fetch does not always. */
async function read(url: string): Promise<{ bytes: number; isComplete: boolean }> {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => (bytes += chunk.length));
      response.on('error', () => undefined);
      response.on('close', () => resolve({ bytes, isComplete: response.complete }));
    }).on('error', reject);
  });
}

describe('the server that cuts its answers', () => {
  let server: CutServer;
  beforeAll(async () => {
    server = await startCutServer();
  });
  afterAll(async () => server.stop());

  it('cuts a body with a length, with chunks, and one that only closing ends', async () => {
    server.serve('/length', cut(sendAll(FILE), 50));
    server.serve('/chunked', { ...cut(sendAll(FILE), 50), framing: 'chunked' });
    server.serve('/close', { ...cut(sendAll(FILE), 50), framing: 'close' });
    expect(await read(`${server.url}/length`)).toEqual({ bytes: 50, isComplete: false });
    expect(await read(`${server.url}/chunked`)).toEqual({ bytes: 50, isComplete: false });
    expect(await read(`${server.url}/close`)).toEqual({ bytes: 50, isComplete: true });
    expect(server.bytesServed()).toBe(150);
  });

  it('behaves when it is told to: ranges, If-Match, one script a request', async () => {
    server.serve('/file', [{ status: 503 }, serveFile(FILE, { etag: '"v1"' })]);
    const ask = async (headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`${server.url}/file`, { headers });
    expect((await ask()).status).toBe(503);
    const part = await ask({ range: 'bytes=95-' });
    expect([part.status, await part.text()]).toEqual([206, '56789']);
    expect((await ask({ range: 'bytes=100-' })).status).toBe(416);
    expect((await ask({ 'if-match': '"v2"' })).status).toBe(412);
    expect(server.requestsOf('/file')).toHaveLength(4);
  });
});
