/** A real SOCKS5 proxy. `connections()` counts what it was asked for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianProgram } from './debian.js';
import type { DebianProgram } from './debian.js';
import { freePort } from './ports.js';
import { acceptsConnections, scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

/** microsocks, the system's own or from Debian's package in the cache. */
export async function ensureMicrosocks(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = ['microsocks'];
  return ensureDebianProgram(
    { name: 'microsocks', binary: '/usr/bin/microsocks', packages },
    onProgress,
  );
}

export interface Microsocks extends ServerProcess {
  /** `socks5://127.0.0.1:PORT`. */
  readonly url: string;
  connections(): number;
}

/** Starts one on a free port. */
export async function startMicrosocks(): Promise<Microsocks> {
  const program = await ensureMicrosocks((line) => process.stderr.write(`${line}\n`));
  const dir = scratchFolder('microsocks');
  const port = await freePort();
  const server = await startProcess({
    name: 'microsocks',
    command: program.path,
    args: ['-i', '127.0.0.1', '-p', String(port)],
    dir,
    env: program.env,
    isReady: () => acceptsConnections(port),
  });
  return {
    ...server,
    url: `socks5://127.0.0.1:${port}`,
    connections: () =>
      readFileSync(join(dir, 'microsocks.log'), 'utf8').match(/connected to/g)?.length ?? 0,
  };
}
