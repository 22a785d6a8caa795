/** Every store that speaks HTTP, and answers that end after each of their bytes: no byte is one too few to be noticed. */
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import type { Store } from '../../../src/stores/store.js';
import { startCutServer } from '../../helpers/cut-server.js';
import type { CutReply, CutRequest } from '../../helpers/cut-server.js';
import { expectSameBytes, filePaths, listAll } from '../conformance/expectations.js';
import { DIALECTS, FILE, LISTED, NAME } from './dialects.js';
import type { Dialect } from './dialects.js';
import { errorOf } from './outcomes.js';

const LONG_MS = 120_000;
const RANGE = { offsetBytes: 10, lengthBytes: 12 } as const;
const WANTED = FILE.subarray(10, 22);

/** The whole answer as it goes over the wire, on a connection that is kept. */
function wireOf({ status = 200, headers = {}, body = '' }: CutReply, isChunked: boolean): Buffer {
  const bytes = Buffer.from(body);
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes.length}`;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = Buffer.from(`HTTP/1.1 ${status} Scripted\r\n${lines.join('')}${framing}\r\n\r\n`);
  if (!isChunked) return Buffer.concat([head, bytes]);
  const size = Buffer.from(`${bytes.length.toString(16)}\r\n`);
  return Buffer.concat([head, size, bytes, Buffer.from('\r\n0\r\n\r\n')]);
}

/**
 * Answers every other question well, and ends the answers between after so many bytes, the connection kept until then. What is
 * asked beside a read is always answered well.
 */
async function startKeeper(wire: Buffer, dialect: Dialect) {
  const sockets = new Set<Socket>();
  let leftBytes = 0;
  let asked = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    let request = '';
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      request += chunk.toString('latin1');
      if (!request.includes('\r\n\r\n')) return;
      const question = questionOf(/^\S+ (\S+)/.exec(request)?.[1] ?? '/');
      request = '';
      if (dialect.beside !== undefined && dialect.isStat(question)) {
        socket.write(wireOf(dialect.stat(question), false));
        return;
      }
      asked += 1;
      if (asked % 2 === 1) socket.write(wire);
      else socket.end(wire.subarray(0, leftBytes));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    leave: (bytes: number) => {
      leftBytes = bytes;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function readRange(store: Store): Promise<void> {
  const opened = await store.openRead(NAME, RANGE);
  const chunks: Buffer[] = [];
  for await (const chunk of opened.body) chunks.push(Buffer.from(chunk as Uint8Array));
  expectSameBytes(Buffer.concat(chunks), WANTED);
}

function questionOf(target: string): CutRequest {
  const { pathname, searchParams } = new URL(target, 'http://cut.invalid');
  const headers = { range: 'bytes=10-21' };
  return { method: 'GET', path: pathname, query: searchParams, headers, index: 0 };
}

const partOf = (dialect: Dialect): CutReply =>
  dialect.file(questionOf('/?offset=10&length=12&size=12'));

describe.each(DIALECTS)('rule 11: $name', (dialect) => {
  it.each([false, true])(
    'a kept connection that ends after each byte of an answer (in chunks: %s) is an error each time',
    async (isChunked) => {
      const wire = wireOf(partOf(dialect), isChunked);
      const keeper = await startKeeper(wire, dialect);
      const store = await dialect.open(keeper.url);
      try {
        // Where nothing came over a connection that was kept, undici asks on another one.
        for (let bytes = 1; bytes < wire.length; bytes += 1) {
          keeper.leave(bytes);
          await readRange(store);
          const error = await errorOf(readRange(store));
          expect([bytes, error.code, error.retryable]).toEqual([bytes, 'WB_UNAVAILABLE', true]);
        }
      } finally {
        await store.close();
        await keeper.stop();
      }
    },
    LONG_MS,
  );

  it(
    'a listing that ends after each of its bytes, with nothing but that to tell its end, is an error each time',
    async () => {
      const server = await startCutServer();
      const store = await dialect.open(server.url);
      const page = dialect.page(LISTED);
      const length = Buffer.from(page.body ?? '').length;
      const serve = (reply: CutReply): void =>
        server.serveRest((request) => {
          const isBeside = dialect.beside !== undefined && dialect.isStat(request);
          return isBeside ? dialect.stat(request) : reply;
        });
      try {
        for (let bytes = 0; bytes < length; bytes += 1) {
          serve({ ...page, framing: 'close', cutAfterBytes: bytes });
          const error = await errorOf(listAll(store, '', true));
          expect([bytes, error.retryable]).toEqual([bytes, true]);
        }
        serve({ ...page, framing: 'close' });
        expect(filePaths(await listAll(store, '', true))).toEqual(LISTED);
      } finally {
        await store.close();
        await server.stop();
      }
    },
    LONG_MS,
  );
});
