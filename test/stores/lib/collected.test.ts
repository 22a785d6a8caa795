/** Small bodies come in one piece; what breaks off is a stream of what came and then the error, so that nothing is lost. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createHttpClient,
  type HttpAnswer,
  type HttpClient,
} from '../../../src/stores/lib/http-client.js';
import type { ByteBody } from '../../../src/stores/store.js';

const MAX = 200_000;
const BODY = randomBytes(MAX);
const CUT_AFTER = 70_000;

describe('a body that is collected', () => {
  let server: Server;
  let client: HttpClient;
  const counted: number[] = [];
  const countedBytes = (): number => counted.reduce((sum, count) => sum + count, 0);
  const ask = (
    path: string,
    signal?: AbortSignal,
    memoryFor?: (bytes: number) => Buffer,
  ): Promise<HttpAnswer> => {
    counted.length = 0;
    const { port } = server.address() as AddressInfo;
    return client.request({
      url: `http://127.0.0.1:${port}/${path}`,
      operation: 'openRead',
      collect: {
        maxBytes: MAX,
        onBytes: (count) => counted.push(count),
        ...(memoryFor === undefined ? {} : { memoryFor }),
      },
      signal,
    });
  };

  beforeAll(async () => {
    server = createServer((request, response) => {
      const kind = request.url?.slice(1) ?? '';
      if (kind === 'chunked') {
        response.write(BODY.subarray(0, 10));
        response.end(BODY.subarray(10));
        return;
      }
      if (kind === 'missing') response.statusCode = 404;
      const body = kind === 'empty' ? BODY.subarray(0, 0) : kind === 'large' ? large : BODY;
      response.setHeader('content-length', body.length);
      if (kind === 'cut') {
        response.write(body.subarray(0, CUT_AFTER), () => response.destroy());
      } else if (kind === 'waits') response.write(body.subarray(0, CUT_AFTER));
      else response.end(body);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    client = createHttpClient({ store: 'http', settings: {}, secrets: {}, maxConnections: 4 });
  });
  afterAll(async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const large = Buffer.concat([BODY, Buffer.from('.')]);

  async function read(body: ByteBody): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of body as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  it('is whole, has been counted, and can be read as a stream all the same', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask('')));
    for (const { bytes } of answers) expect(bytes?.equals(BODY)).toBe(true);
    expect(countedBytes()).toBe(20 * MAX);
    const [first] = answers;
    expect(first && (await read(first.body)).equals(BODY)).toBe(true);
    const empty = await ask('empty');
    expect(empty.bytes).toHaveLength(0);
    expect(await read(empty.body)).toHaveLength(0);
  });

  it('lies in the memory that was given for it, and a longer one in a stream of its own', async () => {
    const memory = Buffer.alloc(MAX + 1, 'x');
    const asked: number[] = [];
    const memoryFor = (bytes: number): Buffer => {
      asked.push(bytes);
      return memory.subarray(0, bytes);
    };
    const { bytes } = await ask('', undefined, memoryFor);
    expect(bytes?.buffer).toBe(memory.buffer);
    expect(bytes?.equals(BODY)).toBe(true);
    memory.fill('x');
    const { body } = await ask('large', undefined, memoryFor);
    expect((await read(body)).equals(large)).toBe(true);
    expect(asked).toEqual([MAX]);
    expect(memory.every((byte) => byte === 'x'.charCodeAt(0))).toBe(true);
  });

  it('is a stream where it is larger, has no length, or is no success', async () => {
    for (const [path, wanted] of [
      ['large', large],
      ['chunked', BODY],
      ['missing', BODY],
    ] as const) {
      const { bytes, body } = await ask(path);
      expect(bytes).toBeUndefined();
      expect((await read(body)).equals(wanted)).toBe(true);
      expect(counted).toEqual([]);
    }
  });

  it('gives what came and then the error where the connection breaks', async () => {
    const { bytes, body } = await ask('cut');
    expect(bytes).toBeUndefined();
    const came: Buffer[] = [];
    const ended = new Promise((resolve, reject) => {
      body.once('end', resolve).once('error', reject);
    });
    body.pour?.((chunk) => void came.push(Buffer.from(chunk)));
    await expect(ended).rejects.toMatchObject({ code: 'WB_UNAVAILABLE', retryable: true });
    const prefix = Buffer.concat(came);
    expect(prefix.equals(BODY.subarray(0, CUT_AFTER))).toBe(true);
    expect(countedBytes()).toBe(CUT_AFTER);
    await expect(ask('cut').then((answer) => read(answer.body))).rejects.toMatchObject({
      code: 'WB_UNAVAILABLE',
    });
  });

  it('rejects with the reason of an abort, and its connection goes', async () => {
    const controller = new AbortController();
    const asked = ask('waits', controller.signal);
    const reason = new Error('enough');
    const timer = setInterval(() => countedBytes() > 0 && controller.abort(reason), 5);
    await expect(asked).rejects.toBe(reason);
    clearInterval(timer);
    expect((await ask('')).bytes?.equals(BODY)).toBe(true);
  });
});
