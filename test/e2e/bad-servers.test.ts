/** Sources that refuse, are silent or lead elsewhere, at the command line: the reason, and no secret. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serveFile, startCutServer } from '../helpers/cut-server.js';
import { openFaultyBed, type FaultyBed } from './faulty-bed.js';
import { SECRET, expectRefusal, expectSilence, namesIn } from './refusals.js';

const LONG_MS = 300_000;
const SOON = ['--give-up-after', '4s'];

let bed: FaultyBed;

beforeAll(async () => {
  bed = await openFaultyBed();
}, LONG_MS);

afterAll(() => bed.close(), LONG_MS);

describe('a source that refuses or is silent', () => {
  it.each([
    { status: 401, code: 'WB_UNAUTHENTICATED', exitCode: 5, says: /401|sign/u },
    { status: 403, code: 'WB_PERMISSION_DENIED', exitCode: 5, says: /403|permi/u },
    { status: 429, code: 'WB_GAVE_UP', exitCode: 12, says: /429|fewer|requests/u },
    { status: 503, code: 'WB_GAVE_UP', exitCode: 12, says: /503/u },
  ])(
    '$status for good is exit $exitCode with its reason',
    async ({ status, code, exitCode, says }) => {
      const path = bed.serve({ status, headers: { 'Retry-After': '1' } });
      await expectRefusal(bed.waybill, {
        source: `http://me:${SECRET}@127.0.0.1:${bed.server.port}${path}`,
        args: SOON,
        exitCode,
        code,
        says,
        env: { WAYBILL_HTTP_TOKEN: SECRET },
      });
    },
    LONG_MS,
  );

  it.each([429, 503])(
    '%d with Retry-After is waited for, and the pull ends well',
    async (status) => {
      const times: number[] = [];
      const whole = serveFile(bed.model, { etag: '"v1"' });
      const path = bed.serve((request) => {
        times.push(performance.now());
        return request.index === 0 ? { status, headers: { 'Retry-After': '2' } } : whole(request);
      });
      await bed.arrivesWhole(path);
      expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(1_900);
    },
    LONG_MS,
  );

  it(
    'a server that accepts and never answers is given up as asked: exit 12',
    async () => {
      const path = bed.serve({ neverAnswers: true });
      await expectRefusal(bed.waybill, {
        source: `${bed.server.url}${path}`,
        args: SOON,
        exitCode: 12,
        code: 'WB_GAVE_UP',
        says: /gave up/u,
      });
    },
    LONG_MS,
  );

  it(
    'a host on which nobody listens is exit 12, with its address',
    async () => {
      const gone = await startCutServer();
      await gone.stop();
      await expectRefusal(bed.waybill, {
        source: `${gone.url}/model.bin`,
        args: SOON,
        exitCode: 12,
        code: 'WB_GAVE_UP',
        says: new RegExp(`127\\.0\\.0\\.1:${gone.port}`, 'u'),
      });
    },
    LONG_MS,
  );

  it(
    'rule 4: no credential follows a redirect to another host',
    async () => {
      bed.other.serve('/moved/model.bin', serveFile(bed.model, { etag: '"v1"' }));
      const target = `${bed.other.url}/moved/model.bin`;
      const path = bed.serve({ status: 302, headers: { Location: target } });
      const folder = join(bed.waybill.dir, 'redirected');
      const source = `http://me:${SECRET}@127.0.0.1:${bed.server.port}${path}`;
      const run = await bed.waybill.run(['pull', source, `${folder}/`, '--json']);
      expect(run).toMatchObject({ exitCode: 0 });
      expect(readFileSync(join(folder, 'model.bin')).equals(bed.model)).toBe(true);
      const [asked] = bed.server.requestsOf(path);
      expect(asked?.headers.authorization).toMatch(/^Basic /u);
      expect(bed.other.requestsOf('/moved/model.bin').length).toBeGreaterThan(0);
      for (const { headers } of bed.other.requests) {
        expect(JSON.stringify(headers)).not.toMatch(/authorization|cookie/u);
      }
      expectSilence(bed.waybill, run);
      expect(readFileSync(join(folder, '.model.bin.waybill/receipt.json'), 'utf8')).not.toContain(
        SECRET,
      );
    },
    LONG_MS,
  );

  it(
    'an address whose signature expires in the middle is exit 5, and a new one goes on',
    async () => {
      const file = serveFile(bed.model, { etag: '"v1"' });
      const seen = new Map<string, number>();
      const path = bed.serve((request) => {
        const signature = request.query.get('X-Amz-Signature') ?? '';
        const before = seen.get(signature) ?? 0;
        seen.set(signature, before + 1);
        const isExpired = signature === SECRET && before >= 2;
        const why =
          '<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>';
        return isExpired ? { status: 403, body: why } : file(request);
      });
      const address = (signature: string): string =>
        `${bed.server.url}${path}?X-Amz-Expires=60&X-Amz-Signature=${signature}`;
      const folder = join(bed.waybill.dir, 'expired');
      mkdirSync(folder);
      const args = [`${folder}/`, '--json', '--concurrency', '1', ...SOON];
      const run = await bed.waybill.run(['pull', address(SECRET), ...args]);
      expect({ exitCode: run.exitCode, ...run.result }).toMatchObject({ exitCode: 5, ok: false });
      expect(JSON.stringify(run.result)).toMatch(/new address|signed/u);
      expectSilence(bed.waybill, run);
      expect(namesIn(folder)).toEqual([]);
      const again = await bed.waybill.run(['pull', address('another-one'), ...args]);
      expect(again).toMatchObject({ exitCode: 0 });
      expect(readFileSync(join(folder, 'model.bin')).equals(bed.model)).toBe(true);
      expectSilence(bed.waybill, again, 'another-one');
    },
    LONG_MS,
  );
});
