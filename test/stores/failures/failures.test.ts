/**
 * Every store that speaks HTTP before a server that does wrong: whatever it does, a read is byte-identical or an error, a listing
 * complete or an error, and no store asks again by itself. At the command line: `e2e/fault-list.test.ts`, `e2e/fault-stores.test.ts`.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import type { Pin } from '../../../src/model/object-entry.js';
import type { Store } from '../../../src/stores/store.js';
import { startCutServer } from '../../helpers/cut-server.js';
import type { CutReply, CutRequest, CutServer } from '../../helpers/cut-server.js';
import { filePaths, listAll } from '../conformance/expectations.js';
import { DIALECTS, FIRST_PAGE, LAST_PAGE, LISTED, NAME } from './dialects.js';
import { errorOf, read } from './outcomes.js';
import { READ_FAULTS } from './reading.js';
import type { ReadFault } from './reading.js';

const ANY_OBJECT = '{"kind":1}';

const NONSENSE: [string, CutReply][] = [
  ['nothing', { body: '' }],
  ['null', { body: 'null', headers: { 'Content-Type': 'application/json' } }],
  ['{}', { body: ANY_OBJECT, headers: { 'Content-Type': 'application/json' } }],
  [
    'a page of someone else',
    { body: '<html><h1>Welcome</h1></html>', headers: { 'Content-Type': 'text/html' } },
  ],
  [
    'XML of someone else',
    {
      body: '<?xml version="1.0"?><rss></rss>',
      headers: { 'Content-Type': 'application/xml' },
    },
  ],
  ['bytes', { body: Buffer.alloc(500, 0xfe) }],
];

let server: CutServer;

beforeAll(async () => {
  server = await startCutServer();
});
afterAll(() => server.stop());

describe.each(DIALECTS)('$name', (dialect) => {
  let store: Store;
  let pin: Pin | undefined;
  let asked: CutRequest[];
  let fault: (good: CutReply, request: CutRequest) => CutReply;

  const isBeside = (request: CutRequest): boolean =>
    dialect.beside !== undefined && dialect.isStat(request);
  const isRead = (request: CutRequest): boolean =>
    !dialect.isListing(request) && !isBeside(request);

  /** The service as it is when it is well. */
  const good = (request: CutRequest): CutReply => {
    if (dialect.isListing(request)) {
      if (dialect.hasOnePage) return dialect.page(LISTED);
      return dialect.tokenOf(request) === undefined
        ? dialect.page(FIRST_PAGE, 'two')
        : dialect.page(LAST_PAGE);
    }
    return dialect.isStat(request) ? dialect.stat(request) : dialect.file(request);
  };

  beforeEach(async () => {
    asked = [];
    fault = (reply) => reply;
    server.serveRest((request) => {
      asked.push(request);
      return fault(good(request), request);
    });
    store = await dialect.open(server.url);
    const opened = await store.openRead(NAME);
    opened.body.destroy();
    pin = opened.pin;
    asked = [];
  });
  afterEach(() => store.close());

  describe('rules 11 and 12: a file', () => {
    it('is read, whole and in part, where nothing is wrong', async () => {
      expect(pin).toBeDefined();
      expect(await read(store, pin, false)).toBe('right');
      expect(await read(store, pin, true)).toBe('right');
      expect(asked.filter(isRead)).toHaveLength(2);
    });

    it.each(READ_FAULTS)('$title', async (one: ReadFault) => {
      const isOfBeside = dialect.beside !== undefined && one.isOfVersion === true;
      fault = (reply, request) =>
        isBeside(request) === isOfBeside ? one.fault(reply, dialect, request) : reply;
      const ends = dialect.ends?.[one.title] ?? one.ends;
      const error: unknown = await read(store, pin, one.isRange === true).catch(
        (reason: unknown) => reason,
      );
      if (error instanceof WaybillError) {
        expect(ends).toContain(error.code);
        if (one.retryable !== undefined && ends === one.ends)
          expect(error.retryable).toBe(one.retryable);
        if (one.isOfFile === true) expect(error.scope).toBe('file');
        if (one.title === '429') expect(error.retryAfterMs).toBe(7_000);
      } else expect(ends).toContain(error);
      // A redirect is followed a few times, and MLflow's parent folder is asked about a 500; no failure is asked about twice.
      expect(asked.filter(isRead).length).toBeLessThanOrEqual(
        one.title.startsWith('redirects') ? 21 : 1,
      );
      fault = (reply) => reply;
      expect(await read(store, pin, false)).toBe('right');
    });

    const { beside } = dialect;
    if (beside !== undefined) {
      it.each<[string, (reply: CutReply) => CutReply]>([
        ['cut', (reply) => ({ ...reply, cutAfterBytes: 20 })],
        [
          'cut, its end told by that',
          (reply) => ({ ...reply, framing: 'close', cutAfterBytes: 20 }),
        ],
        [
          'in chunks without the last',
          (reply) => ({ ...reply, framing: 'chunked', cutAfterBytes: 20 }),
        ],
        ['silent', () => ({ neverAnswers: true })],
        ['503', () => ({ status: 503, body: 'oops' })],
        ['429', () => ({ status: 429, headers: { 'Retry-After': '7' } })],
      ])('of which what is asked beside is %s is an error that passes', async (_, wrong) => {
        fault = (reply, request) => (isBeside(request) ? wrong(reply) : reply);
        for (const isRange of [false, true]) {
          const error = await errorOf(read(store, pin, isRange));
          expect([error.code, error.retryable]).toEqual([error.code, true]);
        }
        fault = (reply) => reply;
        expect(await read(store, pin, false)).toBe('right');
      });

      it.each<[string, CutReply]>(NONSENSE)(
        'of which what is asked beside is %s',
        async (_, wrong) => {
          fault = (reply, request) => (isBeside(request) ? wrong : reply);
          for (const isRange of [false, true]) await errorOf(read(store, pin, isRange));
        },
      );

      it('that changes while it is read', async () => {
        let reads = 0;
        fault = (reply, request) => {
          if (isRead(request)) reads += 1;
          return isBeside(request) && reads > 0 ? beside(request, '2') : reply;
        };
        const error = await errorOf(read(store, pin, true));
        expect(error.code).toBe('WB_SOURCE_CHANGED');
      });
    }

    if (dialect.digestHeader !== undefined) {
      const [header, value, digest] = dialect.digestHeader;
      it('whose checksum does not fit is handed on with it, to be refused', async () => {
        fault = (reply) => ({ ...reply, headers: { ...reply.headers, [header]: value } });
        const opened = await store.openRead(NAME);
        opened.body.destroy();
        expect(Object.keys(opened.digests ?? {})).toContain(digest);
      });
    }
  });

  describe('rule 24: a listing', () => {
    const names = async (again?: (error: unknown) => Promise<void>): Promise<string[]> => {
      const found: string[] = [];
      const options = { recursive: true, ...(again === undefined ? {} : { again }) };
      for await (const { path } of store.list('', options)) found.push(path);
      return found;
    };
    const onLast = (reply: CutReply, request: CutRequest, wrong: CutReply): CutReply =>
      dialect.hasOnePage || dialect.tokenOf(request) !== undefined ? wrong : reply;

    it('is whole where nothing is wrong', async () => {
      expect(filePaths(await listAll(store, '', true))).toEqual(LISTED);
    });

    it.each<[string, (reply: CutReply) => CutReply]>([
      ['a page that is cut', (reply) => ({ ...reply, cutAfterBytes: 30 })],
      [
        'a page that is cut, its end told by that alone',
        (reply) => ({ ...reply, framing: 'close', cutAfterBytes: 30 }),
      ],
      [
        'a page in chunks without the last one',
        (reply) => ({ ...reply, framing: 'chunked', cutAfterBytes: 30 }),
      ],
      ['500', () => ({ status: 500, body: 'oops' })],
      ['503', () => ({ status: 503, body: 'oops' })],
    ])('with %s as its last is asked for again where that is wanted', async (_, wrong) => {
      fault = (reply, request) => onLast(reply, request, wrong(reply));
      const error = await errorOf(names());
      expect([error.code, error.retryable]).toEqual([error.code, true]);
      let again = 0;
      const whole = await names(async () => {
        again += 1;
        fault = (reply) => reply;
        await Promise.resolve();
      });
      expect(whole).toEqual(LISTED);
      expect(again).toBe(1);
    });

    it.each<[string, CutReply]>(NONSENSE)('whose last page is %s is an error', async (_, wrong) => {
      if (wrong.body === ANY_OBJECT && dialect.takesAnyObject) return;
      fault = (reply, request) => onLast(reply, request, wrong);
      await errorOf(names());
    });

    it.each([1, 3])('whose pages follow each other in a circle of %d ends', async (length) => {
      if (dialect.hasOnePage) return;
      let pages = 0;
      fault = () => {
        pages += 1;
        const token = `token-${pages % length}`;
        return dialect.page([dialect.goesOnByName ? token : `f${pages}`], token);
      };
      const error = await errorOf(names());
      expect(error).toMatchObject({ code: 'WB_UNAVAILABLE', retryable: false });
      expect(pages).toBeLessThan(30);
    });
  });
});
