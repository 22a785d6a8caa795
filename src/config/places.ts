/** Where Waybill keeps its state and its cache, and whether its service lives beside or inside the command. Pure but for look-ups. */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WaybillError } from '../model/errors.js';

/** What the places depend on, so that a test can be another machine. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly hostName: string;
  readonly tempDir: string;
  /** Absent where the platform has none. */
  readonly userId: number | undefined;
  readonly processId: number;
}

function isWritable(path: string): boolean {
  for (let current = path; ; current = dirname(current)) {
    if (existsSync(current)) {
      try {
        accessSync(current, constants.W_OK);
        return true;
      } catch {
        return false;
      }
    }
    if (dirname(current) === current) return false;
  }
}

/** A per-user folder in the temp folder. One that somebody else made is WB_CONFIG_INVALID. */
function temporaryHome(machine: Machine): string {
  const folder = join(machine.tempDir, `waybill-${machine.userId ?? 'user'}`);
  if (existsSync(folder) && machine.userId !== undefined) {
    const found = statSync(folder);
    if (found.uid !== machine.userId || (found.mode & 0o022) !== 0) {
      throw new WaybillError(
        'WB_CONFIG_INVALID',
        `${folder} belongs to somebody else or can be written by others; set WAYBILL_STATE_DIR and WAYBILL_CACHE_DIR`,
      );
    }
  }
  return folder;
}

function baseDir(machine: Machine, variable: string, belowHome: string): string | undefined {
  const named = machine.env[variable];
  if (named !== undefined && named.startsWith('/')) return join(named, 'waybill');
  const home = machine.env['HOME'];
  if (home === undefined || !home.startsWith('/')) return undefined;
  const folder = join(home, belowHome, 'waybill');
  // A container with a random user often has HOME=/ that nobody may write.
  return isWritable(folder) ? folder : undefined;
}

/** The state folder of this host: `$XDG_STATE_HOME/waybill/<hostname>`, or a per-user temp folder. */
export function defaultStateDir(machine: Machine): string {
  const base = baseDir(machine, 'XDG_STATE_HOME', '.local/state');
  return join(base ?? join(temporaryHome(machine), 'state'), machine.hostName);
}

/** The cache folder: `$XDG_CACHE_HOME/waybill`, or a per-user temp folder. */
export function defaultCacheDir(machine: Machine): string {
  return baseDir(machine, 'XDG_CACHE_HOME', '.cache') ?? join(temporaryHome(machine), 'cache');
}

/** The user's configuration file, whether or not it exists; undefined where there is no home. */
export function userConfigFile(machine: Machine): string | undefined {
  const named = machine.env['XDG_CONFIG_HOME'];
  if (named !== undefined && named.startsWith('/')) return join(named, 'waybill', 'waybill.toml');
  const home = machine.env['HOME'];
  if (home === undefined || !home.startsWith('/')) return undefined;
  return join(home, '.config', 'waybill', 'waybill.toml');
}

/** Why the local service should live inside the command; undefined: it may live beside it. */
export function inlineReason(machine: Machine): string | undefined {
  const ci = machine.env['CI'];
  if (ci !== undefined && ci !== '' && ci !== '0' && ci !== 'false') return 'CI is set';
  if (machine.processId === 1) return 'this is process 1';
  if (machine.env['KUBERNETES_SERVICE_HOST'] !== undefined) return 'this is a Kubernetes pod';
  for (const mark of ['/.dockerenv', '/run/.containerenv']) {
    if (existsSync(mark)) return `this is a container (${mark})`;
  }
  try {
    const groups = readFileSync('/proc/1/cgroup', 'utf8');
    if (/docker|kubepods|containerd|libpod|lxc/.test(groups)) {
      return 'this is a container (/proc/1/cgroup)';
    }
  } catch {
    return undefined;
  }
  return undefined;
}
