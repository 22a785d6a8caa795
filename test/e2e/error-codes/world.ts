/** What the commands of the sweep over the error table meet: a service, servers, disks, a Temporal, and a broken Waybill. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCutServer, type CutScript, type CutServer } from '../../helpers/cut-server.js';
import { startFaultFs, type FaultFs } from '../../helpers/faultfs.js';
import { mountTmpfs, type Mounted } from '../../helpers/mount.js';
import { freePort } from '../../helpers/ports.js';
import { patchedBuild } from '../../helpers/releases.js';
import { startTemporal, type Temporal } from '../../helpers/temporal.js';
import { openWaybill, type WaybillBed } from '../../helpers/waybill.js';
import { startSlowSource, type SlowSource } from '../half-way.js';

/** In the address of every server, and in the environment of every command. */
export const SECRET = 'hunter2-do-not-tell';

export interface World {
  readonly bed: WaybillBed;
  readonly slow: SlowSource;
  /** Two small files. */
  readonly tree: string;
  /** A port of this host where nobody listens. */
  readonly nobody: string;
  /** A disk of a few kilobytes, and one that fails to flush. */
  readonly small: Mounted;
  readonly failing: FaultFs;
  /** A Temporal without a worker. */
  readonly temporal: Temporal;
  /** The script of a Waybill with a mistake in it. */
  readonly broken: string;
  /** Serves a script under a path of its own; the address, with a password in it. */
  serve(script: CutScript, name?: string): string;
  /** A list of files at a server: `SHA256SUMS` lines to what is answered for each. */
  serveList(files: Readonly<Record<string, readonly [digest: string, script: CutScript]>>): string;
  close(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const bed = openWaybill();
  const [server, slow, failing, temporal, port, broken] = await Promise.all([
    startCutServer(),
    startSlowSource(),
    startFaultFs(),
    startTemporal(),
    freePort(),
    patchedBuild(join(bed.dir, 'broken'), {
      'cli/commands/stores.js': (code) =>
        code.replace('export function runStores', `${PLANTED}function asItWas`),
    }),
  ]);
  await failing.fault({ kind: 'fsync', path: 'partial/', errno: 'EIO' });
  const small = mountTmpfs({ sizeBytes: 128 * 1024 });
  const tree = join(bed.dir, 'tree');
  mkdirSync(tree);
  writeFileSync(join(tree, 'a.bin'), 'hello');
  writeFileSync(join(tree, 'b.bin'), 'x');
  await bed.run(['up']);
  const serve = serverOf(server);
  return {
    ...{ bed, slow, tree, small, failing, temporal, broken, serve },
    nobody: `127.0.0.1:${port}`,
    serveList: (files) => {
      const address = serve(
        {
          body: Object.entries(files)
            .map(([name, [digest]]) => `${digest}  ${name}\n`)
            .join(''),
        },
        'SHA256SUMS',
      );
      const folder = new URL('.', address).pathname;
      for (const [name, [, script]] of Object.entries(files)) server.serve(folder + name, script);
      return address;
    },
    close: async () => {
      await bed.close();
      small.unmount();
      await Promise.all([server.stop(), slow.stop(), failing.stop(), temporal.stop()]);
      rmSync(bed.dir, { recursive: true, force: true });
    },
  };
}

/** Throws what no command expects. */
const PLANTED = 'export function runStores() { return undefined.planted; }\n';

function serverOf(server: CutServer): World['serve'] {
  let count = 0;
  return (script, name = 'model.bin') => {
    count += 1;
    const path = `/${count}/${name}`;
    server.serve(path, script);
    return `http://me:${SECRET}@127.0.0.1:${server.port}${path}`;
  };
}

/** Looks until it is so; fails after a minute. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 9_000; tries += 1) {
    if (await isSo()) return;
    await sleep(20);
  }
  throw new Error(`${what} was waited for in vain`);
}
