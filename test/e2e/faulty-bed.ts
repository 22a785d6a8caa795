/** A service and two scripted servers, for the faults that a real server cannot be made to show. */
import { expect } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startCutServer, type CutScript, type CutServer } from '../helpers/cut-server.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

export interface FaultyBed {
  readonly waybill: WaybillBed;
  readonly server: CutServer;
  /** Another origin. */
  readonly other: CutServer;
  /** 40 MiB: three parts. */
  readonly model: Buffer;
  /** Serves a script under a path that no other test uses; gives the path. */
  serve(script: CutScript | readonly CutScript[], name?: string): string;
  /** Pulls a file of the server and compares it with the model. */
  arrivesWhole(path: string, args?: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export async function openFaultyBed(): Promise<FaultyBed> {
  const waybill = openWaybill();
  const [server, other] = await Promise.all([startCutServer(), startCutServer()]);
  const model = randomBytes(40 * 1024 * 1024);
  let count = 0;
  return {
    waybill,
    server,
    other,
    model,
    serve: (script, name = 'model.bin') => {
      count += 1;
      const path = `/${count}/${name}`;
      server.serve(path, script);
      return path;
    },
    arrivesWhole: async (path, args = []) => {
      const folder = join(waybill.dir, `whole${path.replaceAll('/', '-')}`);
      const source = `${server.url}${path}`;
      const run = await waybill.run(['pull', source, `${folder}/`, '--json', ...args]);
      expect({ exitCode: run.exitCode, ...run.result }).toMatchObject({ exitCode: 0, ok: true });
      expect(readFileSync(join(folder, 'model.bin')).equals(model)).toBe(true);
    },
    close: async () => {
      await server.stop();
      await other.stop();
      await waybill.close();
    },
  };
}
