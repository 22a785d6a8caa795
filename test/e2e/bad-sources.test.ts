/** Sources that do not keep their word, at the command line: never a wrong byte under a final name. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cut, sendAll, serveFile, type CutReply, type CutRequest } from '../helpers/cut-server.js';
import { openFaultyBed, type FaultyBed } from './faulty-bed.js';
import { expectRefusal, namesIn } from './refusals.js';

const LONG_MS = 300_000;
const SOON = ['--give-up-after', '4s'];
const MiB = 1024 * 1024;

let bed: FaultyBed;

beforeAll(async () => {
  bed = await openFaultyBed();
}, LONG_MS);

afterAll(() => bed.close(), LONG_MS);

/** Whether a request asks for bytes after the first. */
const isLaterPart = ({ headers }: CutRequest): boolean => /^bytes=[1-9]/u.test(headers.range ?? '');

const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

describe('a source that does not keep its word', () => {
  const index = (lines: string): CutReply =>
    sendAll(`<html><head><title>Index of /</title></head><body><h1>Index of /</h1><pre>${lines}`, {
      'Content-Type': 'text/html',
    });
  const line = (href: string, sizeBytes: number): string =>
    `<a href="${href}">${href}</a>      20-Nov-2026 10:00      ${sizeBytes}\n`;

  it(
    'rule 11: a listing that lies about a size is exit 6, with both sizes',
    async () => {
      const folder = bed.serve(index(line('a.bin', 5)), '');
      bed.server.serve(`${folder}a.bin`, sendAll('ten bytes!'));
      await expectRefusal(bed.waybill, {
        source: `${bed.server.url}${folder}`,
        args: SOON,
        exitCode: 6,
        code: 'WB_SIZE_MISMATCH',
        says: /(?=.*\b10\b)(?=.*\b5\b)/u,
      });
    },
    LONG_MS,
  );

  it(
    'rule 11: a body that is always cut short of its Content-Length is never a file, and the network is at fault (exit 12)',
    async () => {
      const path = bed.serve(cut(sendAll(bed.model.subarray(0, 1_000)), 500));
      await expectRefusal(bed.waybill, {
        source: `${bed.server.url}${path}`,
        args: SOON,
        exitCode: 12,
        code: 'WB_UNAVAILABLE',
        says: /broke off after 500 of 1000/u,
      });
    },
    LONG_MS,
  );

  it(
    'rule 11: a chunked body without its last chunk is never a file',
    async () => {
      const reply: CutReply = { body: bed.model.subarray(0, 1_000), framing: 'chunked' };
      const path = bed.serve(cut(reply, 500));
      await expectRefusal(bed.waybill, {
        source: `${bed.server.url}${path}`,
        args: SOON,
        exitCode: 12,
        code: 'WB_UNAVAILABLE',
        says: /.+/u,
      });
    },
    LONG_MS,
  );

  it(
    'rule 11: a body that only the closing of the connection ends is refused until --require none',
    async () => {
      const path = bed.serve({ body: bed.model, framing: 'close' });
      const source = `${bed.server.url}${path}`;
      const says = /--require none/u;
      await expectRefusal(bed.waybill, { source, exitCode: 6, code: 'WB_UNPROVEN_LENGTH', says });
      await bed.arrivesWhole(path, ['--require', 'none']);
    },
    LONG_MS,
  );

  it(
    'rule 12: a body that is cut now and then arrives whole, from where it was cut',
    async () => {
      const file = serveFile(bed.model, { etag: '"v1"' });
      const path = bed.serve((request) =>
        request.index % 2 === 0 ? cut(file(request), 3 * MiB) : file(request),
      );
      await bed.arrivesWhole(path, ['--expect', `sha256:${sha256Of(bed.model)}`]);
      expect(bed.server.bytesServed(path)).toBeLessThan(2 * bed.model.length);
    },
    LONG_MS,
  );

  it(
    'rule 12: a server that answers 200 and everything to a range appends nothing',
    async () => {
      const whole = serveFile(bed.model, { etag: '"v1"' });
      const path = bed.serve((request) =>
        isLaterPart(request) ? sendAll(bed.model, { ETag: '"v1"' }) : whole(request),
      );
      await bed.arrivesWhole(path);
    },
    LONG_MS,
  );

  it(
    'rule 12: a server that answers 416 to a part of the file that it announced is read from its start, as one stream',
    async () => {
      const whole = serveFile(bed.model, { etag: '"v1"' });
      const headers = { 'Content-Range': `bytes */${bed.model.length}` };
      const path = bed.serve((request) =>
        isLaterPart(request) ? { status: 416, headers } : whole(request),
      );
      await bed.arrivesWhole(path);
      expect(bed.server.requestsOf(path).some(isLaterPart)).toBe(true);
    },
    LONG_MS,
  );

  it(
    'rule 12: a file that changes during the pull is exit 8, and no mixture of both',
    async () => {
      const second = randomBytes(bed.model.length);
      const path = bed.serve((request) =>
        request.index < 2
          ? serveFile(bed.model, { etag: '"v1"' })(request)
          : serveFile(second, { etag: '"v2"' })(request),
      );
      await expectRefusal(bed.waybill, {
        source: `${bed.server.url}${path}`,
        args: ['--concurrency', '1'],
        exitCode: 8,
        code: 'WB_SOURCE_CHANGED',
        says: /another version/u,
      });
    },
    LONG_MS,
  );

  it(
    'rule 17: bytes that are not what --expect says are exit 6, with both digests',
    async () => {
      const path = bed.serve(serveFile(bed.model, { etag: '"v1"' }));
      await expectRefusal(bed.waybill, {
        source: `${bed.server.url}${path}`,
        args: ['--expect', `sha256:${'0'.repeat(64)}`],
        exitCode: 6,
        code: 'WB_DIGEST_MISMATCH',
        says: new RegExp(`(?=.*0{64})(?=.*${sha256Of(bed.model)})`, 'u'),
      });
    },
    LONG_MS,
  );

  it(
    'a sign-in page in the place of a model is exit 5',
    async () => {
      const page = sendAll('<html><form>user</form></html>', { 'Content-Type': 'text/html' });
      const source = `${bed.server.url}${bed.serve(page)}`;
      const says = /sign-in page/u;
      await expectRefusal(bed.waybill, { source, exitCode: 5, code: 'WB_SIGN_IN_PAGE', says });
    },
    LONG_MS,
  );

  it.each([
    '../evil',
    '/tmp/waybill-evil',
    'a/../../evil',
    'a\\..\\evil',
    '%2e%2e/evil',
    'C:/evil',
  ])(
    'rule 21: the name %j is exit 11, and nothing is written anywhere',
    async (name) => {
      const escaped = name.includes('\\') ? `\\${'0'.repeat(64)}` : '0'.repeat(64);
      const path = bed.serve(
        sendAll(`${escaped}  ${name.replaceAll('\\', '\\\\')}\n`),
        'SHA256SUMS',
      );
      bed.server.serveRest(sendAll('evil'));
      await expectRefusal(bed.waybill, {
        source: `${bed.server.url}${path}`,
        exitCode: 11,
        code: 'WB_UNSAFE_PATH',
        says: /refused/u,
      });
      bed.server.serveRest({ status: 404 });
      expect(existsSync('/tmp/waybill-evil')).toBe(false);
      expect(namesIn(bed.waybill.dir).filter((one) => one.includes('evil'))).toEqual([]);
    },
    LONG_MS,
  );

  it(
    'rule 21: an encoded ".." in a directory index is refused, and its neighbour still comes: exit 3',
    async () => {
      const folder = bed.serve(index(line('..%2f..%2fevil', 4) + line('good.bin', 4)), '');
      bed.server.serve(`${folder}good.bin`, sendAll('good'));
      const place = join(bed.waybill.dir, 'neighbour');
      const run = await bed.waybill.run(['pull', `${bed.server.url}${folder}`, place, '--json']);
      expect({ exitCode: run.exitCode, ...run.result }).toMatchObject({
        exitCode: 3,
        files: 1,
        failures: [{ code: 'WB_UNSAFE_PATH' }],
      });
      expect(namesIn(place)).toEqual(['good.bin']);
      expect(existsSync(join(place, '.waybill/receipt.json'))).toBe(false);
      expect(existsSync(join(place, '.waybill/receipt.partial.json'))).toBe(true);
    },
    LONG_MS,
  );
});
