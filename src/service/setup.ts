/** `waybill setup`: fetches what a later pull needs, for images and for machines without a network. */
import { makeFolders } from './make-folders.js';
import { makeServiceFolders } from './service-files.js';
import { ensureTemporalCli, type TemporalCli } from './temporal-cli.js';

export interface SetupOptions {
  readonly stateDir: string;
  readonly cacheDir: string;
  /** The setting WAYBILL_TEMPORAL_CLI. */
  readonly temporalCli?: string | undefined;
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What is there now. */
export interface SetupReport {
  readonly temporalCli: TemporalCli;
  readonly stateDir: string;
  readonly cacheDir: string;
}

/**
 * Makes the folders and gets the Temporal CLI. Run again it does nothing.
 * @throws WaybillError WB_CONFIG_INVALID when a folder cannot be used; as `ensureTemporalCli`
 */
export async function runSetup(options: SetupOptions): Promise<SetupReport> {
  const { stateDir, cacheDir, temporalCli: explicitPath, onProgress, signal } = options;
  makeServiceFolders(stateDir, onProgress);
  makeFolders(cacheDir);
  const temporalCli = await ensureTemporalCli({ cacheDir, explicitPath, onProgress, signal });
  return { temporalCli, stateDir, cacheDir };
}
