/** The SHA-256 of a large file is computed by its server while its bytes come: a slow server delays no byte. */
import { readFileSync } from 'node:fs';
import { chmod, mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { LARGE_FROM_BYTES } from '../../../src/transfer/plan/units.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from '../../helpers/engine.js';
import { scratchFolder } from '../../helpers/processes.js';
import { SSHD_USER, startSshd, type Sshd } from '../../helpers/sshd.js';
import { contentOf } from '../../helpers/tree.js';
import { until } from '../../helpers/until.js';
import { openSftp } from './testbed.js';

const SIZE = LARGE_FROM_BYTES + 1024;
const LONG_MS = 120_000;

let sshd: Sshd;
let root: string;
let tools: string;
beforeAll(async () => {
  tools = scratchFolder('slow-sum');
  root = scratchFolder('sftp-late');
  // What the shell finds first: says that it was asked, and hashes when it is let go.
  await writeFile(
    join(tools, 'sha256sum'),
    `#!/bin/sh\necho x >> ${tools}/asked/times\nwhile [ ! -e ${tools}/go ]; do sleep 0.05; done\nexec /usr/bin/sha256sum "$@"\n`,
  );
  await chmod(join(tools, 'sha256sum'), 0o755);
  sshd = await startSshd({ config: `SetEnv PATH=${tools}:/usr/bin:/bin` });
}, LONG_MS);
beforeEach(async () => {
  await rm(join(tools, 'go'), { force: true });
  await rm(join(tools, 'asked'), { recursive: true, force: true });
  await mkdir(join(tools, 'asked'));
  await chmod(join(tools, 'asked'), 0o777);
  await writeFile(join(root, 'w.bin'), contentOf({ path: 'w.bin', sizeBytes: SIZE }));
});
afterAll(async () => {
  await sshd.stop();
  for (const dir of [root, tools]) await rm(dir, { recursive: true, force: true });
});

const timesAsked = (): number => {
  try {
    return readFileSync(join(tools, 'asked/times'), 'utf8').length / 2;
  } catch {
    return 0;
  }
};

describe('a server that hashes slowly', () => {
  it('a look that wants cheap digests does not wait for it, and says that there are more', async () => {
    const store = await openSftp(sshd, root);
    try {
      const entry = await store.stat('w.bin', { wantsDigests: 'cheap' });
      expect(entry).toMatchObject({ sizeBytes: SIZE, digestsOnRequest: 'beside' });
      expect(entry.digests).toBeUndefined();
      expect(timesAsked()).toBe(0);
    } finally {
      await store.close();
    }
  });

  async function begin() {
    const dir = await scratch('late');
    const context = contextOf();
    const request = requestOf(
      `sftp://${SSHD_USER}@127.0.0.1:${sshd.port}${root}`,
      join(dir, 'out'),
    );
    const source = { ...request.source, settings: sshd.settings };
    const engine = engineOf();
    const pulling = pullWith(engine, { ...request, source }, undefined, context);
    pulling.catch(() => undefined);
    await until('all bytes are there', () => context.progress.bytesDone >= SIZE);
    return { dir, context, engine, pulling };
  }

  it(
    'all bytes come before it is done, the wait for it is no standstill, and it is compared',
    async () => {
      const { dir, context, engine, pulling } = await begin();
      try {
        const heldMs = context.progress.heldMs;
        await until('it is held', () => context.progress.heldMs > heldMs);
        await writeFile(join(tools, 'go'), '');
        expect(await pulling).toMatchObject({ ok: true, levels: { provider: 1 } });
        expect(timesAsked()).toBe(1);
      } finally {
        await engine.close();
        await rm(dir, { recursive: true, force: true });
      }
    },
    LONG_MS,
  );

  it(
    'rule 12: a file that is another one by then is refused',
    async () => {
      const { dir, engine, pulling } = await begin();
      try {
        await writeFile(join(root, 'w.bin'), contentOf({ path: 'other', sizeBytes: SIZE }));
        await utimes(join(root, 'w.bin'), new Date(), new Date(2001, 1, 1));
        await writeFile(join(tools, 'go'), '');
        expect(await pulling).toMatchObject({
          ok: false,
          failures: [{ code: 'WB_SOURCE_CHANGED' }],
        });
      } finally {
        await engine.close();
        await rm(dir, { recursive: true, force: true });
      }
    },
    LONG_MS,
  );
});
