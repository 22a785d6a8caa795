import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { WaybillError } from '../model/errors.js';
import { makeFolders } from './make-folders.js';
import { findGo, goInstall } from './go-install.js';
import { withInstallLock } from './install-lock.js';
import { runTool } from './run-tool.js';

/** The version that Waybill gets; the newest that `go install` can build. */
export const TEMPORAL_CLI_VERSION = '1.5.1';
/** The server inside it: a database is opened only by the server version that made it. */
const TEMPORAL_SERVER_VERSION = '1.29.1';
const GO_PACKAGE = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`;

/** Where a Temporal CLI was found or came from. */
export type TemporalCliOrigin = 'setting' | 'path' | 'cache' | 'download' | 'go';

export interface TemporalCli {
  /** Absolute path of the binary. */
  readonly path: string;
  /** What it says of itself, such as `1.5.1`. */
  readonly version: string;
  /** The server inside it, such as `1.29.1`: a database belongs to the server version that made it. */
  readonly serverVersion: string;
  readonly origin: TemporalCliOrigin;
}

export interface FindTemporalCliOptions {
  /** Waybill's cache folder; the CLI lies in its `bin`. */
  readonly cacheDir: string;
  /** The setting WAYBILL_TEMPORAL_CLI: this one or none. */
  readonly explicitPath?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface EnsureTemporalCliOptions extends FindTemporalCliOptions {
  /** One sentence at a time: what is fetched, how large, about how long, and how far it is. */
  readonly onProgress: (line: string) => void;
}

/** Where the CLI lies in the cache folder once it was got. */
export function cachedTemporalCliPath(cacheDir: string): string {
  return join(cacheDir, 'bin', `temporal-v${TEMPORAL_CLI_VERSION}`);
}

/**
 * Finds a Temporal CLI on this machine and fetches nothing: the one that the setting names, `temporal` on
 * the PATH, or the one in the cache. One on the PATH that does not run is passed over.
 * @returns undefined when there is none
 * @throws WaybillError WB_CONFIG_INVALID when the one that the setting names does not run
 */
export async function findTemporalCli(
  options: FindTemporalCliOptions,
): Promise<TemporalCli | undefined> {
  const { cacheDir, explicitPath, signal } = options;
  if (explicitPath !== undefined && explicitPath !== '') {
    const found = await asked(explicitPath, 'setting', signal);
    if (found !== undefined) return found;
    throw new WaybillError(
      'WB_CONFIG_INVALID',
      `WAYBILL_TEMPORAL_CLI names ${explicitPath}, which is not a Temporal CLI that runs here. ` +
        'Correct the path, or unset it and Waybill gets one by itself.',
      { operation: 'find Temporal' },
    );
  }
  const onPath = await findOnPath(signal);
  if (onPath !== undefined) return onPath;
  const cached = cachedTemporalCliPath(cacheDir);
  if (!(await isExecutable(cached))) return undefined;
  return pinned(cached, 'cache');
}

/**
 * Finds a Temporal CLI, or gets one into the cache: the download that the Temporal SDKs use, and where
 * the network refuses it, `go install` through Go's module proxy. Safe to call from many processes at
 * once: one installs, the others wait for it and say so.
 * @throws WaybillError WB_CONFIG_INVALID as findTemporalCli; WB_TEMPORAL_UNREACHABLE when none can be had,
 *   with each way that was tried and what to do; the signal's reason when aborted
 */
export async function ensureTemporalCli(options: EnsureTemporalCliOptions): Promise<TemporalCli> {
  const found = await findTemporalCli(options);
  if (found !== undefined) return found;
  const { cacheDir, onProgress, signal } = options;
  const target = cachedTemporalCliPath(cacheDir);
  makeFolders(join(cacheDir, 'bin'));
  const lock = {
    path: `${target}.lock`,
    signal,
    onWait: (pid: number): void =>
      onProgress(`Temporal CLI: process ${pid} is getting it already; waiting for it`),
  };
  const origin = await withInstallLock(lock, async (): Promise<TemporalCliOrigin> => {
    if (await isExecutable(target)) return 'cache';
    return install(target, onProgress, signal);
  });
  return pinned(target, origin);
}

function pinned(path: string, origin: TemporalCliOrigin): TemporalCli {
  return { path, version: TEMPORAL_CLI_VERSION, serverVersion: TEMPORAL_SERVER_VERSION, origin };
}

async function install(
  target: string,
  onProgress: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<TemporalCliOrigin> {
  onProgress(`Temporal CLI ${TEMPORAL_CLI_VERSION}: not on this machine, asking for a download`);
  const version = TEMPORAL_CLI_VERSION;
  // Loaded where it is needed: an HTTP client costs every other command a tenth of a second.
  const { downloadTemporalCli } = await import('./temporal-download.js');
  const refusal = await downloadTemporalCli({ version, target, onProgress, signal });
  if (refusal === undefined) return 'download';
  const go = await findGo(signal);
  if (go === undefined) throw noWayLeft(`it cannot be downloaded (${refusal})`, 'Go is not here');
  onProgress(
    `Temporal CLI ${version}: no download (${refusal}); building it with ${go} from Go's module ` +
      'proxy: about 280 MiB to fetch, 2 to 4 minutes, once',
  );
  try {
    const name = 'Temporal CLI';
    const linkerFlags = `-X github.com/temporalio/cli/temporalcli.Version=${version}`;
    const built = { package: GO_PACKAGE, target, name, packageCount: 1_300, linkerFlags };
    await goInstall({ ...built, onProgress, signal });
    return 'go';
  } catch (error) {
    signal?.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    throw noWayLeft(`it cannot be downloaded (${refusal})`, why, error);
  }
}

function noWayLeft(download: string, go: string, cause?: unknown): WaybillError {
  return new WaybillError(
    'WB_TEMPORAL_UNREACHABLE',
    `There is no Temporal CLI on this machine; ${download}, and ${go}. Install Go 1.24 or later ` +
      'and run the same command, or install the Temporal CLI and put `temporal` on the PATH or ' +
      'its path into WAYBILL_TEMPORAL_CLI, or use a Temporal cluster with TEMPORAL_ADDRESS.',
    { operation: 'install Temporal', retryable: false, ...(cause === undefined ? {} : { cause }) },
  );
}

/** The shell looks it up, so that nobody but `config.ts` reads the environment. */
async function findOnPath(signal: AbortSignal | undefined): Promise<TemporalCli | undefined> {
  const looked = await runTool({ command: 'sh', args: ['-c', 'command -v temporal'], signal });
  const path = looked.output.trim();
  if (looked.exitCode !== 0 || !path.startsWith('/')) return undefined;
  return asked(path, 'path', signal);
}

/** Asks a binary what it is; undefined when it does not run or is something else. */
async function asked(
  path: string,
  origin: TemporalCliOrigin,
  signal: AbortSignal | undefined,
): Promise<TemporalCli | undefined> {
  const run = await runTool({ command: path, args: ['--version'], signal, timeoutMs: 10_000 });
  const said = /^temporal version v?(\S+) \(Server ([^,\s]+)/mu.exec(run.output);
  if (run.exitCode !== 0 || said === null) return undefined;
  const [, version = '', serverVersion = ''] = said;
  return { path, version, serverVersion, origin };
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
