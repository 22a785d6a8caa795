/**
 * A folder exported by NFS version 3 and mounted again, for reading, by a server and a client outside of the kernel
 * (`test/realnfs`, FUSE; for root): what is read there has gone through the protocol. In a test:
 *
 *     const share = await startRealNfs();
 *     writeFileSync(join(share.folder, 'model.bin'), ...);    // on the server
 *     ... share.path ...                                     // where it is mounted
 *     await share.stop();                                    // always
 */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ensureGoProgram } from './go-program.js';
import { scratchFolder, scrubbedEnv } from './processes.js';

export interface RealNfs {
  /** The server's folder. */
  readonly folder: string;
  /** Where it is mounted. */
  readonly path: string;
  stop(): Promise<void>;
}

/** Exports an empty folder and mounts the export. */
export async function startRealNfs(): Promise<RealNfs> {
  const program = await ensureGoProgram('realnfs', (line) => process.stderr.write(`${line}\n`));
  const base = scratchFolder('realnfs');
  const [folder, path] = [join(base, 'export'), join(base, 'mnt')];
  mkdirSync(folder);
  mkdirSync(path);
  // It unmounts and ends with its stdin, however this process ends.
  const child = spawn(program, [folder, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: scrubbedEnv(),
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const first = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  if (first.done === true) throw new Error('realnfs ended before it was mounted');
  return {
    folder,
    path,
    stop: async () => {
      child.stdin.end();
      await ended;
      rmSync(base, { recursive: true, force: true });
    },
  };
}
