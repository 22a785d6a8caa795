/** What the worker of the local service needs at its peak: as little for one large file as for very many small ones. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { scratchFolder } from '../helpers/processes.js';
import { writeTree, type TreeFile } from '../helpers/tree.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

const MiB = 1024 * 1024;
/** 400 MB are what a million files may take; 250 to 315 MiB were measured here. */
const LIMIT_MIB = 360;
const LARGE: readonly TreeFile[] = [{ path: 'model.safetensors', sizeBytes: 2048 * MiB }];
const MANY: readonly TreeFile[] = Array.from({ length: 20_000 }, (_, index) => ({
  path: `folder-${index % 100}/file-${index}.bin`,
  sizeBytes: 1024,
}));

describe('the memory of the worker', () => {
  let base: string;
  let nginx: Nginx;
  let bed: WaybillBed;

  beforeAll(async () => {
    base = scratchFolder('memory');
    const served = join(base, 'served');
    mkdirSync(served);
    await writeTree(join(served, 'large'), LARGE);
    await writeTree(join(served, 'many'), MANY);
    nginx = await startNginx({ root: served });
    bed = openWaybill(join(base, 'waybill'));
  }, 300_000);

  afterAll(async () => {
    await bed.close();
    await nginx.stop();
    rmSync(base, { recursive: true, force: true });
  }, 120_000);

  async function peakMiB(): Promise<number> {
    const { result } = await bed.run(['doctor', '--json']);
    const { worker } = (result as { processes: { worker: number } }).processes;
    const status = readFileSync(`/proc/${worker}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
  }

  it.each([
    ['one file of 2 GiB', 'large', LARGE.length],
    ['20,000 files', 'many', MANY.length],
  ])(
    'stays under 360 MiB for %s',
    async (_title, folder, files) => {
      await bed.run(['down', '--force']);
      const to = join(bed.dir, folder);
      const run = await bed.run(['pull', `${nginx.url}/${folder}/`, to, '--json'], {
        timeoutMs: 600_000,
      });
      expect(run.result).toMatchObject({ ok: true, filesFetched: files });
      expect(await peakMiB()).toBeLessThan(LIMIT_MIB);
    },
    900_000,
  );
});
