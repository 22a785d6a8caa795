import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { keyStreamBytes, keyStreamDigest } from '../../src/demo/key-stream.js';
import { startShapedServer } from '../../src/demo/shaped-server.js';
import type { ShapedServer } from '../../src/demo/shaped-server.js';

const MiB = 1024 * 1024;
const SIZE_BYTES = 2 * MiB + 17;

describe('the shaped link of the demo', () => {
  let server: ShapedServer;
  beforeAll(async () => {
    const options = { fileName: 'f.bin', sizeBytes: SIZE_BYTES, bytesPerSecond: 4 * MiB };
    server = await startShapedServer(options);
  });
  afterAll(async () => server.stop());

  it('sends the bytes of the file at the speed of the link, and counts them', async () => {
    const started = performance.now();
    const bytes = Buffer.from(await (await fetch(server.url)).arrayBuffer());
    expect(performance.now() - started).toBeGreaterThan(350);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(
      keyStreamDigest('f.bin', SIZE_BYTES),
    );
    expect(server.bytesServed()).toBe(SIZE_BYTES);
  });

  it('answers ranges, and refuses those beyond the end or of another version', async () => {
    const ask = async (headers: Record<string, string>): Promise<Response> =>
      fetch(server.url, { headers });
    const part = await ask({ range: 'bytes=1000001-1000100' });
    expect(part.status).toBe(206);
    expect(part.headers.get('content-range')).toBe(`bytes 1000001-1000100/${SIZE_BYTES}`);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(keyStreamBytes('f.bin', 1_000_001, 100));
    expect((await ask({ range: `bytes=${SIZE_BYTES}-` })).status).toBe(416);
    expect((await ask({ 'if-match': '"other"' })).status).toBe(412);
  });
});
