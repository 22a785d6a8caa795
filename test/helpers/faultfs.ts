/**
 * A file system that fails on command, and forgets what was not flushed when the power is cut (`test/faultfs`, FUSE; for
 * root). In a test:
 *
 *     const disk = await startFaultFs();
 *     await disk.fault({ kind: 'fsync', path: 'partial/', errno: 'EIO', times: 1 });
 *     ... disk.path ...
 *     await disk.cutAt(120);                    // the 120th change from now finds the disk gone
 *     await disk.cut('random', seed);           // the power comes back: what a flush covered is there
 *     await disk.stop();                        // always
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ensureGoProgram } from './go-program.js';
import { scratchFolder, scrubbedEnv } from './processes.js';

/** What fails. */
export interface DiskFault {
  /** `flush` is what a close does; `setattr` a change of size, time or mode. */
  readonly kind:
    | 'fsync'
    | 'flush'
    | 'write'
    | 'rename'
    | 'create'
    | 'mkdir'
    | 'unlink'
    | 'link'
    | 'setattr'
    | 'lookup'
    | 'getattr'
    | 'open'
    | 'read'
    | 'readdir'
    | 'statfs';
  /** A regular expression for the path below the mount; for a rename either path. Every path by default. */
  readonly path?: string;
  /**
   * `HANG` answers nothing until the faults are cleared, or the caller is killed. `SHORT`, of a read: half of the bytes. `TWICE`, of
   * a readdir: every name twice.
   */
  readonly errno:
    | 'EIO'
    | 'ENOSPC'
    | 'EDQUOT'
    | 'ESTALE'
    | 'EROFS'
    | 'EACCES'
    | 'ETIMEDOUT'
    | 'HANG'
    | 'SHORT'
    | 'TWICE';
  /** So often; always by default. */
  readonly times?: number;
  /** After so many that work. */
  readonly after?: number;
  /** For `write`: only where it reaches beyond this offset. */
  readonly offset?: number;
}

/** What a cut does to what no flush covered: see `cut...` in `test/faultfs/store.go`. */
export const CUT_MODES = ['strict', 'prefix', 'metadata', 'random', 'nothing'] as const;
export type CutMode = (typeof CUT_MODES)[number];

/** How the disk stands. */
export interface DiskStatus {
  /** Changes and flushes since the last `cutAt`, or since it was mounted. */
  readonly ops: number;
  readonly isDead: boolean;
  /** Calls that hang now. */
  readonly hanging: number;
  /** What failed by a fault: `fsync .waybill/partial/1`, ... */
  readonly failed: readonly string[];
}

export interface FaultFs {
  readonly path: string;
  fault(fault: DiskFault): Promise<void>;
  /** Takes all faults away. */
  clear(): Promise<void>;
  status(): Promise<DiskStatus>;
  /** The n-th change or flush from now on, and everything after it, fails with EIO. 0: none. */
  cutAt(n: number): Promise<void>;
  /** Mounts what survives; whoever holds an older file open gets EIO from it. */
  cut(mode: CutMode, seed: number): Promise<void>;
  /** Flushes everything. */
  sync(): Promise<void>;
  /** Gives a file other bytes, as another client of a share does: the kernel here hears nothing of it. */
  put(path: string, text: string): Promise<void>;
  /** An empty disk, without faults. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** How it is mounted. */
export interface FaultFsOptions {
  /** The kernel asks anew whenever it is asked; else it remembers what a file is for an hour. */
  readonly isShare?: boolean;
  /** The inode number of the first file. */
  readonly firstIno?: bigint;
}

/** Mounts an empty one. */
export async function startFaultFs(options: FaultFsOptions = {}): Promise<FaultFs> {
  const program = await ensureGoProgram('faultfs', (line) => process.stderr.write(`${line}\n`));
  const base = scratchFolder('faultfs');
  const path = join(base, 'mnt');
  mkdirSync(path);
  // It unmounts and ends with its stdin, however this process ends.
  const flags = [
    ...(options.isShare === true ? ['-share'] : []),
    ...(options.firstIno === undefined ? [] : ['-ino', String(options.firstIno)]),
  ];
  const child = spawn(program, [...flags, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: scrubbedEnv(),
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async (): Promise<DiskStatus> => {
    const line = await answers.next();
    if (line.done === true) throw new Error('faultfs has ended');
    const { error, ...status } = JSON.parse(line.value) as DiskStatus & { error?: string };
    if (error !== undefined) throw new Error(`faultfs: ${error}`);
    return status;
  };
  let last: Promise<unknown> = read();
  const ask = (command: object): Promise<DiskStatus> => {
    const answer = last.then(() => {
      child.stdin.write(`${JSON.stringify(command)}\n`);
      return read();
    });
    last = answer;
    return answer;
  };
  await last;
  const told = async (command: object): Promise<void> => void (await ask(command));
  return {
    path,
    fault: (fault) => told({ op: 'fault', fault }),
    clear: () => told({ op: 'clear' }),
    status: () => ask({ op: 'status' }),
    cutAt: (at) => told({ op: 'cutAt', at }),
    cut: (mode, seed) => told({ op: 'cut', mode, seed }),
    sync: () => told({ op: 'sync' }),
    put: (file, text) => told({ op: 'put', path: file, text }),
    reset: () => told({ op: 'reset' }),
    stop: async () => {
      await ended(child);
      rmSync(base, { recursive: true, force: true });
    },
  };
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    child.once('exit', () => resolve());
    child.stdin?.end();
  });
}
