/** A pull from a real Azurite that is killed half-way: it ends right, and nothing that it leaves holds the key. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readSidecar } from '../../src/transfer/sidecar.js';
import { startAzurite, type Azurite } from '../helpers/azurite.js';
import { scratchFolder } from '../helpers/processes.js';
import { startToxiproxy, type ToxicProxy, type Toxiproxy } from '../helpers/toxiproxy.js';
import {
  AWKWARD_NAMES_ON_ONE_LINE,
  digestsOfTree,
  expectedDigests,
  writeTree,
  type TreeFile,
} from '../helpers/tree.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

const MiB = 1024 * 1024;
const FILES: readonly TreeFile[] = [
  { path: 'model.safetensors', sizeBytes: 40 * MiB },
  // A name that ends in a dot loses it at the service.
  ...AWKWARD_NAMES_ON_ONE_LINE.filter((name) => !name.endsWith('.')).map((name) => ({
    path: `names/${name}`,
    sizeBytes: 3_000,
  })),
];

let base: string;
let azurite: Azurite;
let toxiproxy: Toxiproxy;
let proxy: ToxicProxy;
let bed: WaybillBed;

beforeAll(async () => {
  base = scratchFolder('azure-e2e');
  azurite = await startAzurite();
  toxiproxy = await startToxiproxy();
  proxy = await toxiproxy.before(azurite.port);
  const tree = join(base, 'tree');
  await writeTree(tree, FILES);
  await azurite.createContainer('models');
  await azurite.putTree('models', 'churn/3', tree);
  bed = openWaybill(join(base, 'waybill'));
}, 300_000);

afterAll(async () => {
  await bed.close();
  await toxiproxy.stop();
  await azurite.stop();
  rmSync(base, { recursive: true, force: true });
}, 120_000);

/** Waits until something of the large file is recorded. */
async function untilRecorded(destination: string): Promise<void> {
  const folder = join(destination, '.waybill', 'partial');
  const holdsSome = (name: string): boolean =>
    name.endsWith('.parts') && readSidecar(join(folder, name)).extents.length > 0;
  for (let tries = 0; tries < 9_000; tries += 1) {
    if (existsSync(folder) && readdirSync(folder).some(holdsSome)) return;
    if (existsSync(join(destination, '.waybill/receipt.json'))) throw new Error('it has ended');
    await sleep(20);
  }
  throw new Error(`no part was recorded in ${folder}`);
}

const textBelow = (folder: string): string =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, 'latin1'))
    .join('\n');

describe('a pull from Azure', () => {
  it('whose worker is killed with SIGKILL goes on, and every byte is right', async () => {
    const to = join(bed.dir, 'churn');
    const env = {
      AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString.replace(
        `:${azurite.port}/`,
        `:${proxy.port}/`,
      ),
    };
    const source = `wasbs://models@${azurite.account}.blob.core.windows.net/churn/3`;
    await bed.run(['up'], { env });
    const { result } = await bed.run(['doctor', '--json'], { env });
    const { worker = 0 } = (result as { processes?: { worker?: number } }).processes ?? {};
    expect(worker).toBeGreaterThan(0);
    await proxy.add('bandwidth', { rate: 1_000 });
    const pulling = bed.start(['pull', source, to, '--json'], { env });
    await untilRecorded(to);
    process.kill(worker, 'SIGKILL');
    await proxy.remove('bandwidth');
    const run = await pulling.done;
    expect({ exitCode: run.exitCode, result: run.result }).toMatchObject({
      exitCode: 0,
      result: { ok: true, filesFailed: 0, levels: { provider: FILES.length } },
    });
    expect(await digestsOfTree(to)).toEqual(expectedDigests(FILES));
    const checked = spawnSync('sha256sum', ['--strict', '--quiet', '-c', '.waybill/SHA256SUMS'], {
      cwd: to,
    });
    expect(checked.status).toBe(0);
    const again = await bed.run(['pull', source, to, '--json'], { env });
    expect(again.result).toMatchObject({ ok: true, filesFetched: 0 });
    for (const left of [bed.stateText(), textBelow(join(to, '.waybill')), run.stdout, run.stderr]) {
      expect(left).not.toContain(azurite.key);
      expect(left).not.toContain('AccountKey');
    }
  }, 300_000);

  it('with a signature in the address keeps it out of all that it says and leaves', async () => {
    const to = join(bed.dir, 'signed');
    const env = {
      AZURE_STORAGE_SERVICE_ENDPOINT: `http://127.0.0.1:${azurite.port}`,
    };
    const sas = azurite.sas({ permissions: 'rl' });
    const signature = decodeURIComponent(/sig=([^&]*)/.exec(sas)?.[1] ?? '');
    const source = `wasbs://models@${azurite.account}.blob.core.windows.net/churn/3/names?${sas}`;
    const run = await bed.run(['pull', source, to], { env });
    expect({ exitCode: run.exitCode, stderr: run.stderr }).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(to, '.hidden'))).toBe(true);
    expect(readFileSync(join(to, '.waybill/receipt.json'), 'utf8')).toContain('churn/3/names"');
    const refused = await bed.run(
      ['ls', source.replace(/sig=[^&]*/, `sig=${encodeURIComponent(`x${signature}`)}`)],
      { env },
    );
    expect(refused.exitCode).toBe(5);
    const all = [run.stdout, run.stderr, refused.stdout, refused.stderr, bed.stateText()];
    for (const left of [...all, textBelow(join(to, '.waybill'))]) {
      expect(left).not.toContain(signature);
      expect(left).not.toContain(encodeURIComponent(signature));
    }
  }, 300_000);

  it('that a wrong key is refused ends with 5, and says which variable holds it', async () => {
    const env = { ...azurite.env, AZURE_STORAGE_KEY: Buffer.alloc(64, 1).toString('base64') };
    const run = await bed.run(['ls', 'az://models/churn'], { env });
    expect(run.exitCode).toBe(5);
    expect(run.stderr).toContain('AZURE_STORAGE_KEY');
  });
});
