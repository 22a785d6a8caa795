/** The SHA-256 that a server computes: HASH of a real ProFTPD, and XSHA256 of one made by hand. */
import { createHash } from 'node:crypto';
import { chmodSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import type { ConnectionSettings, Store } from '../../../src/stores/store.js';
import { LARGE_FROM_BYTES } from '../../../src/transfer/plan/units.js';
import { openReach } from '../../../src/transfer/reach.js';
import { engineOf, pullWith, requestOf, scratch } from '../../helpers/engine.js';
import { scratchFolder } from '../../helpers/processes.js';
import { startProftpd } from '../../helpers/proftpd.js';
import { startScripted, unixLine, type Script } from './scripted.js';
import { ADA, openFtp } from './testbed.js';

const LARGE = Buffer.alloc(1024 * 1024 + 7, 'large');
const ALWAYS = { WAYBILL_FTP_CHECKSUM: 'always' };
const stops: (() => Promise<void>)[] = [];

afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});

function freshOf(bytes: Buffer | string): unknown {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { digests: { sha256 }, areDigestsFresh: true };
}

describe('HASH of ProFTPD', () => {
  it('is that of the file, where it is worth it or wanted', async () => {
    const root = scratchFolder('ftp-digests');
    const names = { 'large.bin': LARGE, 'ein größeres  Modell 1 2.bin': LARGE, 'small.bin': 'few' };
    for (const [name, bytes] of Object.entries(names)) {
      writeFileSync(join(root, name), bytes);
      chmodSync(join(root, name), 0o644);
    }
    const server = await startProftpd({ root, config: 'DigestEngine on' });
    stops.push(server.stop, () => rm(root, { recursive: true }));
    const at = async (
      settings: ConnectionSettings,
      use: (store: Store) => Promise<void>,
    ): Promise<void> => {
      const store = await openFtp(`ftp://127.0.0.1:${server.port}/`, ADA, settings);
      await use(store).finally(() => store.close());
    };
    await at({}, async (store) => {
      for (const name of Object.keys(names).slice(0, 2)) {
        expect(await store.stat(name, { wantsDigests: true })).toMatchObject(
          freshOf(LARGE) as object,
        );
        const opened = await store.openRead(name);
        const chunks: Buffer[] = [];
        for await (const chunk of opened.body) chunks.push(chunk as Buffer);
        expect(Buffer.concat(chunks).equals(LARGE)).toBe(true);
        expect(opened).toMatchObject(freshOf(LARGE) as object);
      }
      // Of a part nothing is known, whoever reads ranges has asked before, and what nobody wants is not asked for.
      for (const range of [{ offsetBytes: 5 }, { lengthBytes: LARGE.length }]) {
        const part = await store.openRead('large.bin', range);
        part.body.destroy();
        expect(part.digests).toBeUndefined();
      }
      expect((await store.stat('large.bin')).digests).toBeUndefined();
      const cheap = await store.stat('large.bin', { wantsDigests: 'cheap' });
      expect(cheap).toMatchObject({ digestsOnRequest: 'after' });
      expect(cheap.digests).toBeUndefined();
      expect(await store.stat('small.bin', { wantsDigests: 'cheap' })).not.toHaveProperty(
        'digestsOnRequest',
      );
      expect((await store.stat('small.bin', { wantsDigests: true })).digests).toBeUndefined();
    });
    await at(ALWAYS, async (store) => {
      expect(await store.stat('small.bin', { wantsDigests: true })).toMatchObject(
        freshOf('few') as object,
      );
    });
    // A pull asks after the bytes have come: there may be no connection to spare before.
    writeFileSync(join(root, 'huge.bin'), Buffer.alloc(LARGE_FROM_BYTES, LARGE));
    chmodSync(join(root, 'huge.bin'), 0o644);
    const engine = engineOf({ reach: openReach(() => Promise.resolve(ADA)) });
    const dir = await scratch('ftp-late');
    stops.push(
      () => engine.close(),
      () => rm(dir, { recursive: true }),
    );
    const request = requestOf(`ftp://127.0.0.1:${server.port}/huge.bin`, join(dir, 'huge.bin'));
    const source = { ...request.source, credentials: 'of ada' };
    expect(await pullWith(engine, { ...request, source })).toMatchObject({
      ok: true,
      levels: { provider: 1 },
    });
    await at({ WAYBILL_FTP_CHECKSUM: 'never' }, async (store) => {
      expect((await store.stat('large.bin', { wantsDigests: true })).digests).toBeUndefined();
    });
  }, 120_000);
});

describe('XSHA256', () => {
  const FILES = { '/a.bin': 'aaaaa', '/two words.bin': 'bb' };
  const feat = (): string => '211-Features\r\n SIZE\r\n XSHA256 filename\r\n211 End';
  const serve = async (xsha256: (argument: string) => string | undefined): Promise<Store> => {
    const knows: Script['knows'] = { FEAT: feat, XSHA256: xsha256 };
    const server = await startScripted({ files: FILES, lacks: [], line: unixLine, knows });
    const store = await openFtp(`ftp://127.0.0.1:${server.port}/`, {}, ALWAYS);
    stops.push(server.stop, () => store.close());
    return store;
  };
  const digestsOf = async (store: Store, path: string): Promise<unknown> =>
    (await store.stat(path, { wantsDigests: true })).digests;

  it('is asked for by names that cannot be misunderstood', async () => {
    const asked: string[] = [];
    const store = await serve((argument) => {
      asked.push(argument);
      const hex = createHash('sha256').update('aaaaa').digest('hex').toUpperCase();
      return `250-Computing\r\n250 ${hex}`;
    });
    expect(await store.stat('a.bin', { wantsDigests: true })).toMatchObject(
      freshOf('aaaaa') as object,
    );
    expect(await digestsOf(store, 'two words.bin')).toBeUndefined();
    expect(asked).toEqual(['/a.bin']);
  });

  it.each([
    ['refused', '550 too large'],
    ['something else', '250 d41d8cd98f00b204e9800998ecf8427e'],
  ])('that is %s costs the digest only', async (_what, answer) => {
    const store = await serve(() => answer);
    expect(await digestsOf(store, 'a.bin')).toBeUndefined();
    expect((await store.openRead('a.bin')).digests).toBeUndefined();
  });
});

it('a setting that is none is said to be none', async () => {
  const opened = openFtp('ftp://127.0.0.1/', {}, { WAYBILL_FTP_CHECKSUM: 'sometimes' });
  const error: unknown = await opened.catch((reason: unknown) => reason);
  expect(error instanceof WaybillError && error.code).toBe('WB_CONFIG_INVALID');
});
