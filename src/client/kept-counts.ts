/**
 * The highest counts of pulls that run, in a folder that the commands of one user share: whoever looks next shows no less than
 * whoever looked before. One small file a run; what cannot be read or written is done without.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

const countsSchema = z.object({
  filesPlanned: z.number(),
  bytesPlanned: z.number(),
  isPlanComplete: z.boolean(),
  filesDone: z.number(),
  bytesDone: z.number(),
  filesKept: z.number(),
  filesFailed: z.number(),
  retries: z.number(),
});

/** Counts that never go back while a pull runs. */
export type Counts = z.infer<typeof countsSchema>;

/** The counts of a progress alone. */
export const countsOf = (progress: Counts): Counts => countsSchema.parse(progress);

export class KeptCounts {
  constructor(private readonly folder: string) {}

  /** Undefined where nobody has looked yet. */
  read(runId: string): Counts | undefined {
    try {
      return countsSchema.safeParse(JSON.parse(readFileSync(this.fileOf(runId), 'utf8'))).data;
    } catch {
      return undefined;
    }
  }

  write(runId: string, counts: Counts): void {
    const beside = join(this.folder, `${process.pid}.tmp`);
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      writeFileSync(beside, `${JSON.stringify(counts)}\n`, { mode: 0o600 });
      renameSync(beside, this.fileOf(runId));
    } catch {
      // A full disk: the counts of the next command begin with what Temporal knows.
    }
  }

  /** It has ended: its result counts. */
  drop(runId: string): void {
    try {
      rmSync(this.fileOf(runId), { force: true });
    } catch {
      // Left behind, it is a few bytes.
    }
  }

  private fileOf(runId: string): string {
    return join(this.folder, `${runId.replace(/[^\w-]/gu, '_')}.json`);
  }
}
