/**
 * Which destinations of this host lie on a mounted share, remembered beside the host's own state: where the share is away
 * before a pull has begun, nothing at the destination can tell, and an empty mount point looks like a new place (rule 7).
 */
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { WaybillError } from '../model/errors.js';
import type { PullRef } from './api.js';
import { writeFileDurably } from './durable-file.js';
import { destinationAt } from './owner.js';
import { isMountPoint } from './mount-point.js';

const knownSchema = z.object({ recordDir: z.string(), mount: z.string(), id: z.string() });
const fileSchema = z.array(knownSchema);

/** The oldest are forgotten. */
const MAX_KNOWN = 2_000;

/** What this host remembers; without a file it remembers nothing. */
export class KnownMounts {
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly file: string | undefined) {}

  /**
   * Throws WB_DESTINATION_NOT_HERE where this destination was last seen on a share that is not mounted now. A person who has
   * given the share up says so with `--take-over`.
   */
  async refuseAway(recordDir: string, takeOver: boolean): Promise<void> {
    const known = (await this.read()).find((one) => one.recordDir === recordDir);
    if (takeOver || known === undefined || (await isMountPoint(known.mount))) return;
    // The same folder without the mount: it was copied, or the same file system is mounted elsewhere now.
    if ((await destinationAt(recordDir)) === known.id) return;
    const { mount } = known;
    throw new WaybillError(
      'WB_DESTINATION_NOT_HERE',
      `the share under ${mount} is not mounted, and ${dirname(recordDir)} was on it: mount it and run the same ` +
        'command; if no share belongs there any more, pull with --take-over',
      { operation: 'claim' },
    );
  }

  /** Notes where a claimed destination is mounted. A state folder that takes no file is no reason to stop a pull. */
  remember({ recordDir, destinationId, mount }: PullRef): Promise<void> {
    this.writing = this.writing.then(async () => {
      const known = await this.read();
      const before = known.find((one) => one.recordDir === recordDir);
      const isKnown =
        before?.mount === mount && (mount === undefined || before?.id === destinationId);
      if (this.file === undefined || isKnown) return;
      const others = known.filter((one) => one.recordDir !== recordDir);
      const own = mount === undefined ? [] : [{ recordDir, mount, id: destinationId }];
      const text = `${JSON.stringify([...others, ...own].slice(-MAX_KNOWN))}\n`;
      await writeFileDurably(this.file, text).catch(() => undefined);
    });
    return this.writing;
  }

  private async read(): Promise<z.infer<typeof fileSchema>> {
    if (this.file === undefined) return [];
    try {
      return fileSchema.safeParse(JSON.parse(await readFile(this.file, 'utf8'))).data ?? [];
    } catch {
      return [];
    }
  }
}
