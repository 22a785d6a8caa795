/** FTP servers that never end: a greeting, answers, a listing, a file, a byte at a time or as fast as they can. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ErrorCode } from '../../../src/model/errors.js';
import type { Store } from '../../../src/stores/store.js';
import { listAll, readAll } from '../conformance/expectations.js';
import { thrownBy } from '../../helpers/thrown-by.js';
import { openFtp } from './testbed.js';

const LONG_MS = 60_000;
const SIZE = 60_001;
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Writes as long as somebody is there, and no faster than they read. */
async function forEver(socket: Socket, piece: string, everyMs = 0): Promise<void> {
  while (!socket.destroyed) {
    if (!socket.write(piece)) {
      await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve));
    }
    await sleep(everyMs);
  }
}

interface Endless {
  /** In the place of the greeting, of an answer to STAT and the like, or of what a data connection brings. */
  readonly greets?: (socket: Socket) => Promise<void>;
  readonly answers?: (socket: Socket) => Promise<void>;
  readonly sends?: (data: Socket) => Promise<void>;
}

async function listen(onSocket: (socket: Socket) => void): Promise<Server> {
  const server = createServer(onSocket);
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** A server with one file in its root, that does not end what it is told not to. */
async function serve(script: Endless): Promise<Store> {
  const control = await listen((socket) => {
    const say = (line: string): void => void socket.write(`${line}\r\n`);
    const answer = async (line: string): Promise<void> => {
      const [word = ''] = line.split(' ');
      if (word === 'EPSV') {
        const data = await listen((brought) => void (script.sends ?? endNow)(brought));
        return say(`229 there (|||${portOf(data)}|)`);
      }
      if (word === 'SIZE' && script.answers !== undefined) return script.answers(socket);
      say(ANSWERS[word] ?? '502 not implemented');
    };
    socket.on('data', (bytes) => {
      for (const line of bytes.toString().split('\r\n').slice(0, -1)) void answer(line);
    });
    if (script.greets === undefined) say('220 ready');
    else void script.greets(socket);
  });
  const store = await openFtp(
    `ftp://127.0.0.1:${portOf(control)}/`,
    {},
    { WAYBILL_STALL_TIMEOUT: '500ms' },
  );
  closers.unshift(() => store.close());
  return store;
}

const endNow = (data: Socket): Promise<void> => Promise.resolve(void data.end());
const ANSWERS: Readonly<Record<string, string>> = {
  ...{ USER: '230 in', TYPE: '200 binary', CWD: '250 there', REST: '350 go on', PWD: '257 "/"' },
  ...{ SIZE: `213 ${SIZE}`, MDTM: '213 20250101000000', RETR: '150 here it comes' },
  ...{ LIST: '150 here it comes', QUIT: '221 bye' },
};

const SILENT = ['WB_TIMEOUT', true] as const;
const NO_FTP = ['WB_CONFIG_INVALID', false] as const;

describe('what never ends is ended', () => {
  it.each<[string, Endless, readonly [ErrorCode, boolean]]>([
    ['a greeting of lines', { greets: (to) => forEver(to, `220-${'x'.repeat(500)}\r\n`) }, NO_FTP],
    [
      'a greeting of one line',
      { greets: (to) => forEver(to, '220 xxxxxxxxxxx'.repeat(50)) },
      NO_FTP,
    ],
    ['a greeting, a byte at a time', { greets: (to) => forEver(to, '2', 50) }, SILENT],
    ['"not yet"', { greets: (to) => forEver(to, '120 not yet\r\n', 50) }, ['WB_UNAVAILABLE', true]],
    [
      'answers that nobody asked for',
      { greets: (to) => forEver(to, '120 not yet\r\n'.repeat(300)) },
      NO_FTP,
    ],
    ['the answer to a command', { answers: (to) => forEver(to, '213-x\r\n'.repeat(100)) }, NO_FTP],
  ])(
    '%s',
    async (_what, script, [code, retryable]) => {
      const store = await serve(script);
      const error = await thrownBy(store.openRead('model.bin'));
      expect({ code: error.code, retryable: error.retryable }).toEqual({ code, retryable });
    },
    LONG_MS,
  );

  it(
    'a file, a byte at a time',
    async () => {
      const store = await serve({ sends: (data) => forEver(data, 'x', 150) });
      const error = await thrownBy(readAll(store, 'model.bin'));
      expect(error).toMatchObject({ code: 'WB_TIMEOUT', retryable: true });
      expect(error.message).toMatch(/(sent only \d+ bytes in|fell silent) .*of 60001 bytes/u);
    },
    LONG_MS,
  );

  it(
    'a listing, a byte at a time',
    async () => {
      const store = await serve({ sends: (data) => forEver(data, 'x', 150) });
      const error = await thrownBy(listAll(store, '', true));
      expect(error).toMatchObject({ code: 'WB_TIMEOUT', retryable: true });
    },
    LONG_MS,
  );
});
