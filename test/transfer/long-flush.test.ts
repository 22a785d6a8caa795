/** A flush that takes minutes, on a disk whose flushes hang: the pull says that it flushes, and is not taken for one that stands still. */
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { CallContext, TransferEngine, UnitResult } from '../../src/transfer/api.js';
import { LONG_FLUSH_FROM_BYTES } from '../../src/transfer/long-flush.js';
import { sendAll, serveFile, startCutServer, type CutServer } from '../helpers/cut-server.js';
import { contextOf, engineOf, requestOf, scratch } from '../helpers/engine.js';
import { startFaultFs, type DiskFault, type FaultFs } from '../helpers/faultfs.js';
import { until } from '../helpers/until.js';

const MiB = 1024 * 1024;
const LONG_MS = 120_000;
/** Counters are copied five times a second. */
const LOOKS_MS = 1_000;
const PARTIALS = 'partial/[^.]+$';
const FLUSHES: DiskFault = { kind: 'fsync', path: PARTIALS, errno: 'HANG' };
/** The first change of a partial fetched in parts gives it its length, the next one its time. */
const TIMES: DiskFault = { kind: 'setattr', path: PARTIALS, errno: 'HANG', after: 1 };

interface Planned {
  readonly context: CallContext;
  readonly fetch: () => Promise<UnitResult>;
}

interface Hung {
  readonly context: CallContext;
  readonly fetching: Promise<UnitResult>;
}

describe('rule 27: a long flush', () => {
  let disk: FaultFs;
  let server: CutServer;
  let dir: string;
  let engine: TransferEngine;

  beforeAll(async () => {
    disk = await startFaultFs();
    server = await startCutServer();
    dir = await scratch('long-flush');
    // No byte of them is on any disk.
    const body = Buffer.alloc(LONG_FLUSH_FROM_BYTES);
    server.serve('/stream.bin', serveFile(body, { hasRanges: false }));
    server.serve('/unsized.bin', { ...sendAll(body), framing: 'chunked' });
    for (const [name, sizeBytes] of [
      ['whole.bin', LONG_FLUSH_FROM_BYTES],
      ['parts.bin', 33 * MiB],
      ['small.bin', 9_000],
    ] as const) {
      writeFileSync(join(dir, name), '');
      truncateSync(join(dir, name), sizeBytes);
    }
  });
  beforeEach(() => {
    engine = engineOf();
  });
  afterEach(async () => {
    await disk.clear();
    await engine.close();
    await disk.reset();
  });
  afterAll(async () => {
    await disk.stop();
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** A pull of one file, planned. */
  async function planned(uri: string, name: string): Promise<Planned> {
    const context = contextOf();
    const to = join(disk.path, name);
    mkdirSync(to);
    const request = requestOf(uri, join(to, 'model.bin'));
    const resolved = await engine.resolve({ request }, context);
    const claimed = await engine.claim({ pullId: 'p', runId: 'r', request, resolved }, context);
    const { ref } = claimed;
    await engine.planPage({ ref, page: 0 }, context);
    return { context, fetch: () => engine.fetchUnit({ ref, page: 0, unit: 0 }, context) };
  }

  /** Begins to fetch a file, and comes back when a call to the disk hangs. */
  async function startHung(uri: string, fault: DiskFault): Promise<Hung> {
    const { context, fetch } = await planned(uri, 'to');
    await disk.fault(fault);
    const fetching = fetch();
    const hangs = until('the disk hangs', async () => (await disk.status()).hanging > 0);
    await Promise.race([hangs, fetching.then(() => expect('ended').toBe('hanging'))]);
    return { context, fetching };
  }

  it.each([
    ['of a file in parts', () => `file://${dir}/whole.bin`, FLUSHES, 'hashing'],
    [
      'of a file in parts, by a change of its time',
      () => `file://${dir}/whole.bin`,
      TIMES,
      'hashing',
    ],
    ['of one stream', () => `${server.url}/stream.bin`, FLUSHES, 'fetching'],
    ['of one stream of unknown length', () => `${server.url}/unsized.bin`, FLUSHES, 'fetching'],
  ] as const)(
    '%s is the phase until it is over',
    async (_, uri, fault, after) => {
      const { context, fetching } = await startHung(uri(), fault);
      const { progress } = context;
      await until('it says so', () => progress.phase === 'flushing', 10_000);
      await sleep(LOOKS_MS);
      expect(progress.phase).toBe('flushing');
      expect((await disk.status()).hanging).toBe(1);
      await disk.clear();
      expect(await fetching).toMatchObject({
        files: 1,
        bytes: LONG_FLUSH_FROM_BYTES,
        expelled: [],
      });
      expect(progress.phase).toBe(after);
    },
    LONG_MS,
  );

  it.each([
    ['', FLUSHES],
    [', by a change of its time,', TIMES],
  ])(
    'of a file in parts%s keeps no other file from being hashed',
    async (_, fault) => {
      const once = { ...fault, times: 1 };
      const { fetching } = await startHung(`file://${dir}/whole.bin`, once);
      const other = await planned(`file://${dir}/parts.bin`, 'other');
      expect(await other.fetch()).toMatchObject({ files: 1, bytes: 33 * MiB });
      expect((await disk.status()).hanging).toBe(1);
      await disk.clear();
      expect(await fetching).toMatchObject({ files: 1 });
    },
    LONG_MS,
  );

  it(
    'that fails gives the phase back, too',
    async () => {
      const { context, fetching } = await startHung(`${server.url}/stream.bin`, FLUSHES);
      await until('it says so', () => context.progress.phase === 'flushing', 10_000);
      await disk.cutAt(1);
      await disk.clear();
      await expect(fetching).rejects.toMatchObject({ code: 'WB_DESTINATION_FAILED' });
      expect(context.progress.phase).toBe('fetching');
    },
    LONG_MS,
  );

  it.each([
    ['a small file', 'small.bin', 'fetching'],
    ['a file in a few parts', 'parts.bin', 'hashing'],
  ])(
    'of %s is none: a share that hangs is found out by it as soon as before',
    async (_, name, phase) => {
      const { context, fetching } = await startHung(`file://${dir}/${name}`, FLUSHES);
      await sleep(LOOKS_MS);
      expect(context.progress.phase).toBe(phase);
      await disk.clear();
      expect(await fetching).toMatchObject({ files: 1 });
    },
    LONG_MS,
  );
});
