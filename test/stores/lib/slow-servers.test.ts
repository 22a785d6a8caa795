/** Servers that never end: a head, a body, a chunk, a page that goes on for ever, a byte at a time or as fast as it can. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ErrorCode } from '../../../src/model/errors.js';
import { createHttpClient, type HttpClient } from '../../../src/stores/lib/http-client.js';
import { openRanged } from '../../../src/stores/lib/open-ranged.js';
import { thrownBy } from '../../helpers/thrown-by.js';

const STALL_MS = 500;
const KiB = 1024;
const LONG_MS = 60_000;

/** Writes as long as somebody is there, and no faster than they read. */
async function forEver(socket: Socket, piece: string | Buffer, everyMs = 0): Promise<void> {
  while (!socket.destroyed) {
    if (!socket.write(piece)) {
      await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve));
    }
    await sleep(everyMs);
  }
}

const HEAD = 'HTTP/1.1 200 OK\r\nETag: "v1"\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
const LARGE = 'x'.repeat(16 * KiB);
const SLOWLY_MS = 50;

type Answer = (socket: Socket) => Promise<void>;

/** After a beginning one thing over and over. */
const after =
  (beginning: string, piece: string, everyMs?: number): Answer =>
  (socket) => {
    socket.write(beginning);
    return forEver(socket, piece, everyMs);
  };

interface Endless {
  readonly title: string;
  readonly answer: Answer;
  readonly code: ErrorCode;
  readonly says: RegExp;
}

const SILENT = { code: 'WB_TIMEOUT', says: /did not answer in time/u } as const;
const TOO_LARGE = { code: 'WB_UNAVAILABLE', says: /head that is larger/u } as const;
const TRICKLE = { code: 'WB_TIMEOUT', says: /sent only \d+ bytes in \d|fell silent/u } as const;

const ENDLESS: readonly Endless[] = [
  { title: 'a head, a byte at a time', ...SILENT, answer: after(HEAD, 'x', SLOWLY_MS) },
  { title: 'a status line', ...SILENT, answer: after('HTTP/1.1 200 O', LARGE) },
  { title: 'a header', ...TOO_LARGE, answer: after(`${HEAD}X-Bomb: `, LARGE) },
  { title: 'headers', ...TOO_LARGE, answer: after(HEAD, 'X-Bomb: yes\r\n'.repeat(500)) },
  {
    title: 'heads of answers to come',
    ...SILENT,
    answer: after('', 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n', SLOWLY_MS),
  },
  {
    title: 'a body, a byte at a time',
    ...TRICKLE,
    answer: after(`${HEAD}Content-Length: 60001\r\n\r\n`, 'x', 150),
  },
  {
    title: 'a body without a length, a byte at a time',
    ...TRICKLE,
    answer: after(`${HEAD}Connection: close\r\n\r\n`, 'x', 150),
  },
  { title: 'a body in chunks of a byte', ...TRICKLE, answer: after(CHUNKED, '1\r\nx\r\n', 150) },
  {
    title: 'the extension of a chunk',
    code: 'WB_TIMEOUT',
    says: /fell silent after 0 bytes/u,
    answer: after(`${CHUNKED}10;name=`, LARGE),
  },
  {
    title: 'the size of a chunk',
    code: 'WB_UNAVAILABLE',
    says: /broke off after 0 bytes/u,
    answer: after(CHUNKED, '0'.repeat(KiB) + '7'.repeat(KiB)),
  },
  {
    title: 'trailers',
    code: 'WB_UNAVAILABLE',
    says: /broke off after 1 bytes/u,
    answer: after(`${CHUNKED}1\r\nx\r\n0\r\n`, 'X-Bomb: yes\r\n'.repeat(500)),
  },
];

let server: Server;
let url: string;
let answer: Answer;
let client: HttpClient;
const sockets = new Set<Socket>();

beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('data', () => {
      socket.resume();
      void answer(socket).catch(() => socket.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.bin`;
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
beforeEach(() => {
  client = createHttpClient({
    store: 'http',
    settings: { NO_PROXY: '*' },
    secrets: {},
    maxConnections: 4,
    timeouts: { headersMs: STALL_MS, stallMs: STALL_MS },
  });
});
afterEach(() => client.close());

/** Reads the file, in one piece where it is that small. */
async function read(maxBytes = 0): Promise<number> {
  const collect = maxBytes === 0 ? {} : { collect: { maxBytes } };
  const opened = await openRanged(client, { url, store: 'http', path: 'model.bin', ...collect });
  let bytes = opened.bytes?.length ?? 0;
  if (opened.bytes !== undefined) return bytes;
  for await (const chunk of opened.body) bytes += (chunk as Uint8Array).length;
  return bytes;
}

describe('what never ends is ended, and may be tried again', () => {
  it.each(ENDLESS)(
    '$title',
    async ({ answer: endless, code, says }) => {
      answer = endless;
      const error = await thrownBy(read());
      expect({ code: error.code, retryable: error.retryable }).toEqual({ code, retryable: true });
      expect(error.message).toMatch(says);
    },
    LONG_MS,
  );

  it(
    'a small body that is waited for, a byte at a time',
    async () => {
      answer = after(`${HEAD}Content-Length: 60001\r\n\r\n`, 'x', 150);
      const error = await thrownBy(read(100_000));
      expect(error).toMatchObject({ code: 'WB_TIMEOUT', retryable: true });
      expect(error.message).toMatch(/(sent only \d+ bytes in|fell silent) .*of 60001 bytes/u);
    },
    LONG_MS,
  );

  it(
    'a page is cut where it is larger than any, and not tried again',
    async () => {
      answer = after(CHUNKED, `${LARGE.length.toString(16)}\r\n${LARGE}\r\n`);
      const asked = { url, operation: 'list' };
      const text = client.readText(await client.request(asked), asked, 512 * KiB);
      const error = await thrownBy(text);
      expect(error).toMatchObject({ code: 'WB_LIMIT_EXCEEDED', retryable: false });
    },
    LONG_MS,
  );
});

describe('what is only slow arrives', () => {
  const slowly =
    (pieces: number, bytes: number): Answer =>
    async (socket) => {
      socket.write(`${HEAD}Content-Length: ${pieces * bytes}\r\n\r\n`);
      for (let sent = 0; sent < pieces; sent += 1) {
        socket.write(Buffer.alloc(bytes));
        await sleep(SLOWLY_MS);
      }
    };

  it.each([0, 100_000])(
    'a body of many small pieces (collected up to %d)',
    async (maxBytes) => {
      answer = slowly(40, 64);
      expect(await read(maxBytes)).toBe(40 * 64);
    },
    LONG_MS,
  );

  it(
    'a body that its reader leaves alone for longer than a silence may be',
    async () => {
      answer = (socket) => {
        socket.write(`${HEAD}Content-Length: ${4 * KiB * KiB}\r\n\r\n`);
        socket.write(Buffer.alloc(4 * KiB * KiB));
        return Promise.resolve();
      };
      const opened = await openRanged(client, { url, store: 'http', path: 'model.bin' });
      let bytes = 0;
      let rests = 0;
      for await (const chunk of opened.body) {
        bytes += (chunk as Uint8Array).length;
        rests += 1;
        if (rests <= 2) await sleep(2 * STALL_MS);
      }
      expect(bytes).toBe(4 * KiB * KiB);
    },
    LONG_MS,
  );
});
