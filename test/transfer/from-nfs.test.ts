/** A pull from a share that really speaks NFS. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { verifyTree } from '../../src/transfer/verify.js';
import { engineOf, pullWith, requestOf, scratch } from '../helpers/engine.js';
import { startRealNfs } from '../helpers/realnfs.js';
import { AWKWARD_NAMES, digestsOfTree, writeTree } from '../helpers/tree.js';

it('rule 12: brings an awkward tree from NFS byte by byte, at the level size, and again each time', async () => {
  const share = await startRealNfs();
  const base = await scratch('from-nfs');
  const to = join(base, 'to');
  const files = AWKWARD_NAMES.map((path, index) => ({ path, sizeBytes: 1_000 * index }));
  const engine = engineOf();
  try {
    await writeTree(share.folder, files);
    const first = await pullWith(engine, requestOf(share.path, to));
    expect(first).toMatchObject({ ok: true, files: files.length, filesFailed: 0 });
    expect(first.levels).toEqual({ size: files.length });
    expect(await digestsOfTree(to)).toEqual(await digestsOfTree(share.folder));
    expect(await verifyTree(to)).toMatchObject({ ok: true });
    // A pin of a share proves nothing of a version that lies here already.
    const again = await pullWith(engine, requestOf(share.path, to));
    expect(again).toMatchObject({ ok: true, filesFetched: files.length });
  } finally {
    await engine.close();
    await share.stop();
    rmSync(base, { recursive: true, force: true });
  }
});
