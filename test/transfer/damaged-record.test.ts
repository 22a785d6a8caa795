/** A record that a file system cut, or somebody edited: what is told to be typed brings the pull to its end. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { errorRow } from '../../src/model/errors.js';
import type { TransferEngine } from '../../src/transfer/api.js';
import { verifyTree } from '../../src/transfer/verify.js';
import { engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';
import { thrownBy } from '../helpers/thrown-by.js';

let dir: string;
let source: string;
let engine: TransferEngine;
let pulls = 0;

beforeAll(async () => {
  dir = await scratch('damaged');
  source = join(dir, 'source');
  await mkdir(source);
  for (const name of ['a', 'b']) writeFileSync(join(source, name), `content of ${name}`);
  engine = engineOf();
});
afterAll(async () => {
  await engine.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A whole tree whose record has a file that is no longer what it was. */
async function treeWithout(name: string): Promise<string> {
  const to = join(dir, `tree-${(pulls += 1)}`);
  await pullWith(engine, requestOf(source, to));
  writeFileSync(join(to, '.waybill', name), '{"v":1,');
  return to;
}

it.each(['receipt.json', 'manifest.ndjson'])(
  'rule 5: a damaged %s is written anew by what its error says to type',
  async (name) => {
    const to = await treeWithout(name);
    const error = await thrownBy(pullWith(engine, requestOf(source, to)));
    expect(error).toMatchObject({ code: 'WB_LOCAL_DAMAGE' });
    expect(error.message).toContain(name);
    expect(errorRow('WB_LOCAL_DAMAGE').advice).toContain('--checksum --if-exists overwrite');
    // Nothing that is there is believed without a look at it.
    writeFileSync(join(to, 'a'), 'content of X');
    const again = requestOf(source, to, { ifExists: 'overwrite', checksum: true });
    expect(await pullWith(engine, again)).toMatchObject({ ok: true });
    expect(readFileSync(join(to, 'a'), 'utf8')).toBe('content of a');
    expect(await verifyTree(to)).toMatchObject({ ok: true, state: 'complete', files: 2 });
    expect(await pullWith(engine, requestOf(source, to))).toMatchObject({ ok: true, files: 2 });
  },
);

it('rule 7: a damaged destination.json is no place that anybody holds: the next claim writes it anew', async () => {
  const to = await treeWithout('destination.json');
  expect(await pullWith(engine, requestOf(source, to))).toMatchObject({ ok: true, files: 2 });
});

it('rule 6: a damaged owner.json is an owner that cannot be asked: --take-over goes on', async () => {
  const to = await treeWithout('owner.json');
  const error = await thrownBy(pullWith(engine, requestOf(source, to)));
  expect(error).toMatchObject({ code: 'WB_DESTINATION_OWNED' });
  expect(error.message).toContain('--take-over');
  const over = requestOf(source, to, { takeOver: true });
  expect(await pullWith(engine, over)).toMatchObject({ ok: true, files: 2 });
});
