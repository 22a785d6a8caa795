/** A folder with files in it, and what commands that are typed there ask for. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../../src/config.js';
import { buildPullRequest, type BuiltRequest } from '../../../src/cli/request/build.js';
import { collectSource, type CollectedSource } from '../../../src/cli/request/source.js';
import type { ConnectionTable } from '../../../src/config/toml-file.js';
import { StoreRegistry } from '../../../src/stores/registry.js';

export interface Desk {
  /** Holds `there/`, `data/f.bin`, links to both (`link`, `data-link`), and `dangling`. */
  readonly cwd: string;
  build(
    source: string,
    destination?: string,
    flags?: Record<string, unknown>,
    env?: Record<string, string>,
  ): BuiltRequest;
  collect(
    text: string,
    env: Record<string, string>,
    connections?: readonly ConnectionTable[],
  ): CollectedSource;
  clear(): void;
}

export function openDesk(): Desk {
  const cwd = realpathSync(mkdtempSync(join(tmpdir(), 'waybill-request-')));
  mkdirSync(join(cwd, 'there'));
  mkdirSync(join(cwd, 'data'));
  writeFileSync(join(cwd, 'data/f.bin'), 'f');
  symlinkSync(join(cwd, 'data'), join(cwd, 'data-link'));
  symlinkSync(join(cwd, 'there'), join(cwd, 'link'));
  symlinkSync(join(cwd, 'nowhere'), join(cwd, 'dangling'));
  return {
    cwd,
    build: (source, destination, flags = {}, env = {}) => {
      const own = { HOME: cwd, WAYBILL_SERVICE: 'inline', ...env };
      const config = readConfig({ flags, env: own, cwd });
      return buildPullRequest({ config, flags, source, destination, cwd });
    },
    collect: (text, env, connections = []) =>
      collectSource({
        text,
        cwd,
        registry: new StoreRegistry(),
        connections,
        environmentOf: (names) =>
          Object.fromEntries(names.flatMap((name) => (env[name] ? [[name, env[name]]] : []))),
      }),
    clear: () => rmSync(cwd, { recursive: true, force: true }),
  };
}
