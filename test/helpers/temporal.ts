/**
 * A real Temporal: the dev server of the Temporal CLI. In a test:
 *
 *     const temporal = await startTemporal();                      // in memory
 *     const temporal = await startTemporal({ databaseFile });      // survives kill('SIGKILL') and a new start
 *     ... temporal.address, temporal.uiUrl, temporal.env ...
 *     await temporal.stop();
 */
import { Connection } from '@temporalio/client';
import { ensureTemporalCli } from '../../src/service/temporal-cli.js';
import { cacheFolder } from './cache.js';
import { freePort } from './ports.js';
import { acceptsConnections, scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

export interface TemporalOptions {
  /** SQLite file with write-ahead log; in memory (twice as fast) when absent. */
  readonly databaseFile?: string;
  readonly port?: number;
  /** The web UI costs memory and a second; off by default. */
  readonly ui?: boolean;
  readonly extraArgs?: readonly string[];
}

export interface Temporal extends ServerProcess {
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  readonly port: number;
  /** Empty without `ui`. */
  readonly uiUrl: string;
  /** What sends a Waybill command to this server as to a cluster. */
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a dev server on a free port and waits until its namespace `default` answers. */
export async function startTemporal(options: TemporalOptions = {}): Promise<Temporal> {
  const explicitPath = process.env['WAYBILL_TEMPORAL_CLI'];
  const onProgress = (line: string): void => void process.stderr.write(`${line}\n`);
  const cli = await ensureTemporalCli({ cacheDir: cacheFolder(), explicitPath, onProgress });
  const dir = scratchFolder('temporal');
  const port = options.port ?? (await freePort());
  const uiPort = options.ui === true ? await freePort() : undefined;
  const address = `127.0.0.1:${port}`;
  const pragmas = ['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal'];
  const server = await startProcess({
    name: 'Temporal',
    command: cli.path,
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)],
      ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort)]),
      ...['--log-level', 'error'],
      ...(options.databaseFile === undefined
        ? []
        : ['--db-filename', options.databaseFile, ...pragmas]),
      ...(options.extraArgs ?? []),
    ],
    dir,
    isReady: async () => (await acceptsConnections(port)) && answers(address),
  });
  return {
    ...server,
    address,
    port,
    uiUrl: uiPort === undefined ? '' : `http://127.0.0.1:${uiPort}`,
    env: { TEMPORAL_ADDRESS: address },
  };
}

async function answers(address: string): Promise<boolean> {
  const connection = await Connection.connect({ address, connectTimeout: 5_000 });
  try {
    await connection.workflowService.describeNamespace({ namespace: 'default' });
    return true;
  } finally {
    await connection.close();
  }
}
