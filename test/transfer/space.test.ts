/** Room on a small disk is dealt out once: to the pulls that are open, and to what they lack (rule 18). */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { PullRef, TransferEngine } from '../../src/transfer/api.js';
import { serveFile, startCutServer } from '../helpers/cut-server.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';
import { mountTmpfs, type Mounted } from '../helpers/mount.js';
import { digestsOfTree } from '../helpers/tree.js';

const MiB = 1024 * 1024;

describe('room on a small disk', () => {
  let source: string;
  let disk: Mounted;
  let engine: TransferEngine;
  const context = contextOf();

  beforeAll(async () => {
    source = await scratch('space');
    for (let index = 0; index < 8; index += 1) {
      writeFileSync(join(source, `${index}.bin`), randomBytes(MiB / 4));
    }
  });
  afterEach(async () => {
    await engine.close();
    disk.unmount();
  });
  afterAll(() => rmSync(source, { recursive: true, force: true }));

  function onDisk(sizeBytes: number): void {
    disk = mountTmpfs({ sizeBytes });
    engine = engineOf({ ask: () => Promise.resolve('open') });
  }

  async function claim(name: string): Promise<PullRef> {
    const request = requestOf(source, join(disk.path, name));
    const resolved = await engine.resolve({ request }, context);
    const claimed = await engine.claim({ pullId: name, runId: name, request, resolved }, context);
    return claimed.ref;
  }

  const plan = (ref: PullRef): ReturnType<TransferEngine['planPage']> =>
    engine.planPage({ ref, page: 0 }, context);

  const promised = {
    code: 'WB_NO_SPACE',
    exitCode: 7,
    scope: 'destination',
    retryable: true,
    retryAfterMs: 5_000,
  };

  it('rule 18: what is promised to one pull is not planned by another, until that one ends', async () => {
    onDisk(3 * MiB);
    const [first, second] = [await claim('first'), await claim('second')];
    const { units } = await plan(first);
    await expect(plan(second)).rejects.toMatchObject(promised);
    await expect(plan(second)).rejects.toThrow(
      /bytes free, 2097152 of them promised to the pull into .*\/first; this one needs 2097152 so far$/u,
    );
    // What has arrived is not promised any more, and not free either.
    await engine.fetchUnit({ ref: first, page: 0, unit: 0 }, context);
    await expect(plan(second)).rejects.toThrow(/ 1835008 of them promised/u);
    expect(units).toBe(8);
    await engine.release({ ref: first });
    expect(await plan(second)).toMatchObject({ units: 8, bytes: 2 * MiB });
  });

  it('rule 18: of two pulls that plan at the same moment only one gets the room for one', async () => {
    onDisk(3 * MiB);
    const refs = [await claim('first'), await claim('second')];
    const ends = await Promise.allSettled(refs.map(plan));
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = ends.find((end) => end.status === 'rejected');
    expect(refused?.reason).toMatchObject(promised);
  });

  it('rule 18: two that fit together are both planned, and a pull on another disk counts for nothing', async () => {
    onDisk(5 * MiB);
    const other = mountTmpfs({ sizeBytes: 3 * MiB });
    try {
      const elsewhere = requestOf(source, join(other.path, 'third'));
      const resolved = await engine.resolve({ request: elsewhere }, context);
      const third = { pullId: 'third', runId: 'third', request: elsewhere, resolved };
      const { ref } = await engine.claim(third, context);
      await plan(ref);
      for (const name of ['first', 'second']) await plan(await claim(name));
    } finally {
      other.unmount();
    }
  });

  it('rule 18: a large file that is half there needs room for its other half only', async () => {
    onDisk(48 * MiB);
    const large = randomBytes(40 * MiB);
    const server = await startCutServer();
    try {
      const whole = serveFile(large, { etag: '"v1"' });
      let isDown = true;
      server.serve('/model.bin', (request) => {
        const isFirst = /^bytes=0-/u.test(request.headers.range ?? '');
        return !isDown || isFirst || request.method === 'HEAD' ? whole(request) : { status: 503 };
      });
      const to = join(disk.path, 'model.bin');
      const request = requestOf(`${server.url}/model.bin`, to);
      await expect(pullWith(engine, request)).rejects.toMatchObject({ code: 'WB_UNAVAILABLE' });
      isDown = false;
      const again = await pullWith(engine, request);
      expect(again).toMatchObject({ ok: true, bytesFetched: 24 * MiB });
    } finally {
      await server.stop();
    }
  });

  it('rule 18: after what was in the way is gone, the plan goes on where it was, and lists nothing twice', async () => {
    onDisk(3 * MiB);
    mkdirSync(join(disk.path, 'others'));
    writeFileSync(join(disk.path, 'others/ballast'), Buffer.alloc(2 * MiB));
    const ref = await claim('only');
    const refused = { code: 'WB_NO_SPACE', retryAfterMs: undefined };
    await expect(plan(ref)).rejects.toMatchObject(refused);
    // A listing that began again would find this one.
    writeFileSync(join(source, 'late.bin'), 'late');
    rmSync(join(disk.path, 'others'), { recursive: true });
    const { units } = await plan(ref);
    rmSync(join(source, 'late.bin'));
    expect(units).toBe(8);
    for (let unit = 0; unit < units; unit += 1) {
      await engine.fetchUnit({ ref, page: 0, unit }, context);
    }
    expect(await engine.seal({ ref }, context)).toMatchObject({ ok: true, files: 8 });
    expect(await digestsOfTree(join(disk.path, 'only'))).toEqual(await digestsOfTree(source));
  });
});
