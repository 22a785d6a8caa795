/** Pulls between a folder and a destination on disk, whole or up to the plan: for tests of what is there already. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PullRequest, PullResult } from '../../src/model/pull.js';
import type { PullRef, TransferEngine } from '../../src/transfer/api.js';
import type { EngineDeps } from '../../src/transfer/engine.js';
import { contextOf, engineOf, pullWith, requestOf, scratch } from './engine.js';

/** Contents by path. */
export type Files = Readonly<Record<string, string>>;

/** A pull that has its plan: what comes next is for the test to do. */
export interface PlannedPull {
  readonly ref: PullRef;
  /** Fetches every unit; answers `CODE: message` of those that failed, which are recorded. */
  fetch(): Promise<readonly string[]>;
  seal(): Promise<PullResult>;
}

export class ThereBed {
  private next = 0;

  private constructor(
    readonly root: string,
    readonly engine: TransferEngine,
  ) {}

  static async open(name: string, deps: Partial<EngineDeps> = {}): Promise<ThereBed> {
    return new ThereBed(await scratch(name), engineOf(deps));
  }

  async close(): Promise<void> {
    await this.engine.close();
    await rm(this.root, { recursive: true, force: true });
  }

  /** A source with these files, and a destination that does not exist. */
  async fresh(files: Files): Promise<{ from: string; to: string }> {
    this.next += 1;
    const from = join(this.root, `from-${this.next}`);
    await mkdir(from);
    await put(from, files);
    return { from, to: join(this.root, `to-${this.next}`) };
  }

  pull(from: string, to: string, changes: Partial<PullRequest> = {}): Promise<PullResult> {
    return pullWith(this.engine, requestOf(from, to, changes));
  }

  /** A pull of one page up to its plan. */
  async planned(
    from: string,
    to: string,
    changes: Partial<PullRequest> = {},
  ): Promise<PlannedPull> {
    const { engine } = this;
    const context = contextOf();
    const request = requestOf(from, to, changes);
    const resolved = await engine.resolve({ request }, context);
    const runId = `planned-${(this.next += 1)}`;
    const { ref } = await engine.claim({ pullId: 'p', runId, request, resolved }, context);
    const { units } = await engine.planPage({ ref, page: 0 }, context);
    return {
      ref,
      fetch: async () => {
        const failed: string[] = [];
        for (let unit = 0; unit < units; unit += 1) {
          await engine.fetchUnit({ ref, page: 0, unit }, context).catch(async (error: unknown) => {
            const { code, message } = error as { code: 'WB_CONFLICT'; message: string };
            failed.push(`${code}: ${message}`);
            const failure = { path: '', code, message };
            await engine.recordFailure({ ref, page: 0, unit, failure });
          });
        }
        return failed;
      },
      seal: () => engine.seal({ ref }, contextOf()),
    };
  }
}

/** Writes files below a folder. */
export async function put(folder: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

/** The content of a small file. */
export const text = (path: string): Promise<string> => readFile(path, 'utf8');
