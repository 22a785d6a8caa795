/** A Waybill with a service of its own, never the user's: this one, or one of another checkout. */
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readServiceRecord } from '../../src/service/service-record.js';
import { MEMORY_SETTINGS } from '../../src/service/child-settings.js';
import { serviceFiles } from '../../src/service/service-files.js';
import { WORKER_FLAGS } from '../../src/service/worker-flags.js';
import { cacheFolder } from '../../test/helpers/cache.js';
import { scrubbedEnv } from '../../test/helpers/processes.js';
import { runWaybill } from '../../test/helpers/waybill.js';
import type { Command, Contender } from './case.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const ALONE = fileURLToPath(new URL('./engine-alone.js', import.meta.url));

export interface WaybillSide {
  /** `waybill`, or `waybill (folder)`. */
  readonly name: string;
  readonly main: string;
  readonly stateDir: string;
  command(args: readonly string[], env?: Readonly<Record<string, string>>): Command;
  /** A contender that pulls `uri` into the run's folder. */
  puller(
    uri: string,
    options?: { args?: readonly string[]; env?: Readonly<Record<string, string>> } & Pick<
      Contender,
      'brings' | 'before' | 'after'
    >,
  ): Contender;
  /** The processes of its service that live now: service, Temporal, worker. */
  pids(): readonly number[];
  /** Runs a command that is not measured; throws when it fails. */
  run(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<void>;
  /** Starts its service and pulls a small file through it. */
  warmUp(): Promise<void>;
  /** `down --force`. */
  close(): Promise<void>;
}

/** The engine of this checkout in one process of its own, without Temporal; with the settings that a worker has. */
export function engineAlone(
  uri: string,
  { env = {}, brings }: { env?: Readonly<Record<string, string>> } & Pick<Contender, 'brings'>,
): Contender {
  return {
    name: 'its engine without Temporal',
    command: ({ folder }) => ({
      argv: [process.execPath, ...WORKER_FLAGS, ALONE, uri, `${folder}/`],
      env: scrubbedEnv({ ...MEMORY_SETTINGS, ...env }),
    }),
    ...(brings === undefined ? {} : { brings }),
  };
}

/** `base` is an empty folder; `checkout` another Waybill's, built. Starts nothing. */
export function openSide(base: string, checkout?: string): WaybillSide {
  const main = checkout === undefined ? MAIN : resolve(checkout, 'dist/src/cli/main.js');
  if (!existsSync(main)) throw new Error(`${main} is not there: build that checkout first`);
  const stateDir = join(base, 'state');
  const places = {
    WAYBILL_STATE_DIR: stateDir,
    WAYBILL_CACHE_DIR: cacheFolder(),
    WAYBILL_SERVICE: 'background',
  };
  const name = checkout === undefined ? 'waybill' : `waybill (${checkout})`;
  const pids = (): readonly number[] => {
    const record = readServiceRecord(serviceFiles(stateDir).record);
    const all = [record?.service.pid, record?.temporal?.pid, record?.worker?.pid];
    return all.filter((pid) => pid !== undefined && existsSync(`/proc/${pid}`)) as number[];
  };
  const run: WaybillSide['run'] = async (args, env = {}) => {
    const { exitCode, stdout, stderr } = await runWaybill(args, {
      stateDir,
      main,
      env: { ...places, ...env },
    });
    if (exitCode !== 0) throw new Error(`${name} ${args[0]}: ${stdout}${stderr}`.slice(-800));
  };
  const command: WaybillSide['command'] = (args, env = {}) => ({
    argv: [process.execPath, main, ...args],
    env: scrubbedEnv({ ...places, ...env }),
  });
  return {
    name,
    main,
    stateDir,
    pids,
    run,
    command,
    puller: (uri, { args = [], env = {}, ...rest } = {}) => ({
      name,
      helpers: pids,
      command: ({ folder }) => command(['pull', '-q', uri, `${folder}/`, ...args], env),
      ...rest,
    }),
    warmUp: async () => {
      const source = join(base, 'warm-up.txt');
      writeFileSync(source, 'warm\n');
      await run(['up']);
      await run(['pull', '-q', source, join(base, 'warm/')]);
    },
    close: () => run(['down', '--force']),
  };
}
