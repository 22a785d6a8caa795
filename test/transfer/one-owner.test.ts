import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PullRequest } from '../../src/model/pull.js';
import type { Claim, TransferEngine } from '../../src/transfer/api.js';
import { serveFile, startCutServer } from '../helpers/cut-server.js';
import { contextOf, engineOf, requestOf, scratch } from '../helpers/engine.js';

let dir: string;
let source: string;
const engines: TransferEngine[] = [];
/** Runs that Temporal would call open. */
const open = new Set<string>();

beforeAll(async () => {
  dir = await scratch('owner');
  source = join(dir, 'source');
  mkdirSync(join(source, 'sub'), { recursive: true });
  for (const name of ['a.bin', 'b.bin', 'sub/c.bin']) writeFileSync(join(source, name), name);
});

afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
  open.clear();
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

function engineNamed(engineId: string): TransferEngine {
  const engine = engineOf({
    engineId,
    ask: (owner) => Promise.resolve(open.has(owner.runId) ? 'open' : 'closed'),
  });
  engines.push(engine);
  return engine;
}

async function claim(
  engine: TransferEngine,
  destination: string,
  runId: string,
  changes: Partial<PullRequest> = {},
  uri = source,
): Promise<Claim> {
  const request = requestOf(uri, destination, changes);
  const resolved = await engine.resolve({ request }, contextOf());
  const claimed = await engine.claim(
    { pullId: `pull-${runId}`, runId, request, resolved },
    contextOf(),
  );
  open.add(runId);
  return claimed;
}

const owned = { code: 'WB_DESTINATION_OWNED' };

describe('one owner', () => {
  it('rule 6: a living pull above, below or at a single file inside refuses another; one that has ended does not', async () => {
    const engine = engineNamed('e');
    const root = join(dir, 'nested');
    await claim(engine, join(root, 'a/b'), 'inner');
    await expect(claim(engine, root, 'outer')).rejects.toMatchObject(owned);
    await expect(claim(engine, join(root, 'a/b/c'), 'deeper')).rejects.toMatchObject(owned);
    const file = join(source, 'a.bin');
    await expect(claim(engine, join(root, 'a/b/x.bin'), 'file', {}, file)).rejects.toMatchObject(
      owned,
    );
    expect(existsSync(join(root, '.waybill'))).toBe(false);
    await claim(engine, join(root, 'a/beside'), 'sibling');
    open.clear();
    await claim(engine, root, 'outer');
  });

  it('rule 6: a tree around the record of a single file that is being fetched is refused', async () => {
    const engine = engineNamed('e');
    const root = join(dir, 'around');
    await claim(engine, join(root, 'deep/x.bin'), 'file', {}, join(source, 'a.bin'));
    await expect(claim(engine, root, 'tree')).rejects.toMatchObject(owned);
    await claim(engine, join(root, 'deep/y.bin'), 'other file', {}, join(source, 'b.bin'));
  });

  it('rule 6: an owner of an engine that cannot be asked is refused until --take-over, however old it is', async () => {
    const root = join(dir, 'unknown');
    const { ref } = await claim(engineNamed('gone'), root, 'first');
    open.clear();
    const owner = join(ref.recordDir, 'owner.json');
    execFileSync('touch', ['-d', '2001-01-01', owner]);
    const engine = engineNamed('here');
    const refused = claim(engine, root, 'second');
    await expect(refused).rejects.toMatchObject({
      ...owned,
      message: expect.stringContaining('--take-over') as unknown,
    });
    const taken = await claim(engine, root, 'second', { takeOver: true });
    expect(taken.ref.epoch).toBe(ref.epoch + 1);
  });

  it.each([
    ['publishes nothing more', true],
    ['learns why its plan is gone', false],
  ])('rule 6: after a take-over the loser %s', async (_what, hasReadPlan) => {
    const root = join(dir, `loser-${hasReadPlan}`);
    const first = engineNamed('first');
    const loser = await claim(first, root, 'loser');
    const page = await first.planPage({ ref: loser.ref, page: 0 }, contextOf());
    if (hasReadPlan) await first.nameUnits({ ref: loser.ref, page: 0, from: 0 });
    await claim(engineNamed('second'), root, 'winner', { takeOver: true });
    for (let unit = 0; unit < page.units; unit += 1) {
      const fetching = first.fetchUnit({ ref: loser.ref, page: 0, unit }, contextOf());
      await expect(fetching).rejects.toMatchObject(owned);
    }
    await expect(first.seal({ ref: loser.ref }, contextOf())).rejects.toMatchObject(owned);
    await first.release({ ref: loser.ref });
    expect(readdirSync(root)).toEqual(['.waybill']);
    const owner = readFileSync(join(root, '.waybill/owner.json'), 'utf8');
    expect(owner).toContain('"runId":"winner"');
  });
});

describe('a take-over in the middle of a unit', () => {
  it('rule 6: the loser, whose bytes are still coming, gives no name to what it has; the winner fetches all of it', async () => {
    const server = await startCutServer();
    const body = Buffer.alloc(512 * 1024, 'waybill');
    let isSlow = true;
    server.serveRest((request) =>
      serveFile(body, { etag: '"v1"', ...(isSlow ? { bytesPerSecond: 128 * 1024 } : {}) })(request),
    );
    try {
      const uri = `${server.url}/model.bin`;
      const root = join(dir, 'in-the-middle', 'model.bin');
      const first = engineNamed('first');
      const { ref } = await claim(first, root, 'losing', {}, uri);
      await first.planPage({ ref, page: 0 }, contextOf());
      const fetching = first.fetchUnit({ ref, page: 0, unit: 0 }, contextOf());
      const refused = expect(fetching).rejects.toMatchObject(owned);
      while (server.bytesServed('/model.bin') === 0) await sleep(10);
      isSlow = false;
      const second = engineNamed('second');
      const winner = await claim(second, root, 'winning', { takeOver: true }, uri);
      await refused;
      expect(existsSync(root)).toBe(false);
      await second.planPage({ ref: winner.ref, page: 0 }, contextOf());
      await second.fetchUnit({ ref: winner.ref, page: 0, unit: 0 }, contextOf());
      const sealed = await second.seal({ ref: winner.ref }, contextOf());
      expect(sealed).toMatchObject({ ok: true, bytesFetched: body.length });
      expect(readFileSync(root).equals(body)).toBe(true);
    } finally {
      await server.stop();
    }
  });
});

describe('the same place', () => {
  it('rule 7: a share that is unmounted in the middle gets no byte into the folder below; mounted again it goes on', async () => {
    const root = join(dir, 'share');
    mkdirSync(root);
    const image = join(dir, 'share.img');
    execFileSync('truncate', ['-s', '16M', image]);
    execFileSync('mkfs.ext4', ['-q', image]);
    const mount = (): Buffer => execFileSync('mount', ['-o', 'loop', image, root]);
    const unmount = (): Buffer => execFileSync('umount', [root]);
    mount();
    try {
      const request = { ifExists: 'update' } as const;
      const destination = join(root, 'model');
      const before = engineNamed('e');
      const { ref } = await claim(before, destination, 'run', request);
      const page = await before.planPage({ ref, page: 0 }, contextOf());
      await before.close();
      unmount();
      const engine = engineNamed('e');
      const unit = { ref, page: 0, unit: 0 };
      const notHere = {
        code: 'WB_DESTINATION_NOT_HERE',
        message: `the share under ${root} is not mounted`,
        retryable: true,
      };
      await expect(engine.fetchUnit(unit, contextOf())).rejects.toMatchObject(notHere);
      await expect(engine.seal({ ref }, contextOf())).rejects.toMatchObject(notHere);
      expect(readdirSync(root)).toEqual([]);
      mount();
      for (let index = 0; index < page.units; index += 1) {
        await engine.fetchUnit({ ref, page: 0, unit: index }, contextOf());
      }
      expect(await engine.seal({ ref }, contextOf())).toMatchObject({ ok: true, files: 3 });
    } finally {
      execFileSync('umount', ['-q', root]);
    }
  });
});
