/** Plain sockets share one buffer: no byte of one body may show up in another, or twice, or be lost, however it is read. */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHttpClient, type HttpClient } from '../../../src/stores/lib/http-client.js';
import type { ByteBody, StorePace } from '../../../src/stores/store.js';

const MiB = 1024 * 1024;
const BODIES = Array.from({ length: 4 }, () => randomBytes(12 * MiB));
const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const WANTED = BODIES.map(digestOf);

describe('bodies over sockets that share a buffer', () => {
  let server: Server;
  let client: HttpClient;
  const open = async (path: string, from: HttpClient = client): Promise<ByteBody> => {
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/${path}`;
    return (await from.requestOk({ url, operation: 'openRead' })).body;
  };
  const clientWith = (pace?: StorePace): HttpClient =>
    createHttpClient({ store: 'http', settings: {}, secrets: {}, maxConnections: 8, pace });

  beforeAll(async () => {
    server = createServer((request, response) => {
      const body = BODIES[Number(request.url?.slice(1, 2))] ?? Buffer.alloc(0);
      const isCut = request.url?.endsWith('cut') === true;
      response.setHeader('content-length', body.length);
      if (request.url?.endsWith('close')) response.setHeader('connection', 'close');
      if (isCut) response.write(body.subarray(0, 5 * MiB), () => response.destroy());
      else response.end(body);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    client = clientWith();
  });
  afterAll(async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  async function poured(body: ByteBody): Promise<string> {
    const hash = createHash('sha256');
    await new Promise<void>((resolve, reject) => {
      body.once('end', resolve).once('error', reject);
      body.pour?.((chunk) => void hash.update(chunk));
    });
    return hash.digest('hex');
  }

  /** A reader that makes its source wait, after every piece. */
  async function read(body: ByteBody, onPiece: () => Promise<unknown> = nextTurn): Promise<string> {
    const hash = createHash('sha256');
    for await (const chunk of body as AsyncIterable<Buffer>) {
      await onPiece();
      hash.update(chunk);
    }
    return hash.digest('hex');
  }

  it('come whole where they are poured, several at once, over kept connections', async () => {
    for (let round = 0; round < 3; round += 1) {
      const found = BODIES.map(async (_, index) => poured(await open(String(index))));
      expect(await Promise.all(found)).toEqual(WANTED);
    }
  });

  it('come whole where slow readers let the sockets rest beside quick ones', async () => {
    const found = BODIES.map(async (_, index) => {
      const body = await open(String(index));
      return index % 2 === 0 ? read(body) : poured(body);
    });
    expect(await Promise.all(found)).toEqual(WANTED);
  });

  it('come whole where the connection has ended before they are read', async () => {
    const body = await open('1close');
    for (let turn = 0; turn < 200; turn += 1) await nextTurn();
    expect(await read(body)).toBe(WANTED[1]);
    expect(await poured(await open('2close'))).toBe(WANTED[2]);
  });

  it('end with an error where the connection was cut, read or poured', async () => {
    await expect(open('0cut').then(poured)).rejects.toMatchObject({ code: 'WB_UNAVAILABLE' });
    await expect(open('0cut').then((body) => read(body))).rejects.toMatchObject({
      code: 'WB_UNAVAILABLE',
    });
  });

  it('come whole in small turns where a pull has a pace', async () => {
    let turns = 0;
    const paced = clientWith({
      beforeRequest: () => Promise.resolve(),
      quantumBytes: () => 100_000,
      afterBytes: () => {
        turns += 1;
        return turns % 3 === 0 ? undefined : nextTurn();
      },
    });
    try {
      const found = [0, 1, 2].map(async (index) => poured(await open(String(index), paced)));
      expect(await Promise.all(found)).toEqual(WANTED.slice(0, 3));
      expect(turns).toBeGreaterThan(300);
    } finally {
      await paced.close();
    }
  });
});
