/** A large file that is there already: its hash is seen while it is made, and ends with the attempt. */
import { createHash } from 'node:crypto';
import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CallContext, PlannedPage, TransferEngine } from '../../src/transfer/api.js';
import { contextOf, engineOf, requestOf, scratch } from '../helpers/engine.js';
import { until } from '../helpers/until.js';

const MiB = 1024 * 1024;
const LONG_MS = 120_000;

describe('rule 27: the hash of a large file that is there', () => {
  let dir: string;
  let engine: TransferEngine;

  beforeAll(async () => {
    dir = await scratch('slow-hash');
    engine = engineOf();
  });
  afterAll(async () => {
    await engine.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** A sparse file, at a source and where it is to be brought. */
  function sparse(name: string, sizeBytes: number): { uri: string; to: string } {
    for (const path of [join(dir, name), join(dir, `${name}-there`)]) {
      writeFileSync(path, '');
      truncateSync(path, sizeBytes);
    }
    return { uri: `file://${join(dir, name)}`, to: join(dir, `${name}-there`) };
  }

  async function plan(
    { uri, to }: { uri: string; to: string },
    sha256: string,
    context: CallContext,
  ): Promise<PlannedPage> {
    const request = requestOf(uri, to, { expect: { kind: 'digest', sha256 } });
    const resolved = await engine.resolve({ request }, context);
    const claimed = await engine.claim({ pullId: 'p', runId: 'r', request, resolved }, context);
    return engine.planPage({ ref: claimed.ref, page: 0 }, context);
  }

  it(
    'counts as checked while it is planned, and is the proof that it need not come',
    async () => {
      const sizeBytes = 768 * MiB;
      const hash = createHash('sha256');
      for (let at = 0; at < sizeBytes; at += MiB) hash.update(Buffer.alloc(MiB));
      const context = contextOf();
      const seen = new Set<number>();
      const planning = plan(sparse('kept', sizeBytes), hash.digest('hex'), context);
      let isPlanned = false;
      void planning.catch(() => undefined).then(() => (isPlanned = true));
      while (!isPlanned) {
        seen.add(context.progress.bytesChecked ?? 0);
        await sleep(50);
      }
      expect(await planning).toMatchObject({ keptFiles: 1, units: 0 });
      expect(context.progress.bytesChecked).toBe(sizeBytes);
      expect([...seen].some((bytes) => bytes > 0 && bytes < sizeBytes)).toBe(true);
    },
    LONG_MS,
  );

  it(
    'ends when its attempt is stopped, which decides nothing',
    async () => {
      const sizeBytes = 64 * 1024 * MiB;
      const controller = new AbortController();
      const context = contextOf(controller.signal);
      const planning = plan(sparse('stopped', sizeBytes), '0'.repeat(64), context);
      const failing = expect(planning).rejects.toThrow('enough');
      await until('it is hashed', () => (context.progress.bytesChecked ?? 0) > 0);
      controller.abort(new Error('enough'));
      await failing;
      expect(context.progress.bytesChecked).toBeLessThan(sizeBytes);
    },
    LONG_MS,
  );
});
