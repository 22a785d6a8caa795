/**
 * Lines sorted by the bytes of their paths, more than memory holds: sorted runs go to files and are merged as they are read.
 * What comes in order, as from a listing that is, makes a single run.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { compareByBytes } from '../../model/object-path.js';
import { toDestinationError } from '../destination-error.js';
import { makeFolderInside, remove } from '../durable-file.js';
import { scanLines } from './scan-lines.js';

/** Characters that are held before a run is written. */
const HELD_CHARACTERS = 12 * 1024 * 1024;

/** What is read of each run at once. */
const READ_BYTES = 128 * 1024;

/** A line and what it is sorted by. */
export interface KeyedLine {
  readonly path: string;
  /** Without a line feed. */
  readonly text: string;
}

interface Run {
  readonly file: string;
  readonly handle: FileHandle;
  lastPath: string;
}

/** Takes lines in any order, and gives them back sorted once. Equal paths come one after another. */
export class SortedLines {
  private held: KeyedLine[] = [];
  private characters = 0;
  private lastPath: string | undefined;
  private isInOrder = true;
  private readonly runs: Run[] = [];

  /** @param folder made when it is needed, and removed by `drop` with all that is in it; its parent is there */
  constructor(
    private readonly folder: string,
    private readonly heldCharacters: number = HELD_CHARACTERS,
  ) {}

  /** Runs that did not fit into memory. */
  get runsOnDisk(): number {
    return this.runs.length;
  }

  /** Takes a line. Throws WB_NO_SPACE and its kin. */
  async add(path: string, text: string): Promise<void> {
    if (this.lastPath !== undefined && compareByBytes(this.lastPath, path) > 0) {
      this.isInOrder = false;
    }
    this.lastPath = path;
    this.held.push({ path, text });
    this.characters += path.length + text.length;
    if (this.characters >= this.heldCharacters) await this.spill();
  }

  /** All lines, sorted. */
  async *sorted(): AsyncGenerator<KeyedLine> {
    const inMemory = this.sortHeld();
    const sources = this.runs.map(({ file }) => readRun(file));
    const heads: (KeyedLine | undefined)[] = [];
    for (const source of sources) heads.push(await nextOf(source));
    let next = 0;
    for (;;) {
      const least = leastOf(heads);
      const first = least === undefined ? undefined : heads[least];
      const own = inMemory[next];
      if (own !== undefined && (first === undefined || compareByBytes(own.path, first.path) < 0)) {
        next += 1;
        yield own;
        continue;
      }
      const source = least === undefined ? undefined : sources[least];
      if (first === undefined || least === undefined || source === undefined) return;
      yield first;
      heads[least] = await nextOf(source);
    }
  }

  /** Removes the runs. */
  async drop(): Promise<void> {
    for (const { handle } of this.runs) await handle.close().catch(() => undefined);
    this.runs.length = 0;
    this.held = [];
    await remove(this.folder);
  }

  private sortHeld(): KeyedLine[] {
    if (!this.isInOrder) this.held.sort((a, b) => compareByBytes(a.path, b.path));
    return this.held;
  }

  private async spill(): Promise<void> {
    const lines = this.sortHeld();
    const first = lines[0]?.path ?? '';
    const last = lines.at(-1)?.path ?? '';
    try {
      const run =
        this.runs.find(({ lastPath }) => compareByBytes(lastPath, first) <= 0) ??
        (await this.startRun());
      const text = lines.map((line) => `${JSON.stringify(line.path)}\t${line.text}\n`).join('');
      await run.handle.appendFile(text);
      run.lastPath = last;
    } catch (error) {
      throw toDestinationError(error, 'write', this.folder);
    }
    this.held = [];
    this.characters = 0;
    this.isInOrder = true;
  }

  private async startRun(): Promise<Run> {
    if (this.runs.length === 0) {
      // What a killed process has left.
      await remove(this.folder);
      await makeFolderInside(this.folder);
    }
    const file = join(this.folder, `${this.runs.length}.run`);
    const run = { file, handle: await open(file, 'wx', 0o600), lastPath: '' };
    this.runs.push(run);
    return run;
  }
}

async function* readRun(file: string): AsyncGenerator<KeyedLine> {
  for await (const lines of scanLines(file, { chunkBytes: READ_BYTES })) {
    for (const { bytes } of lines) {
      const line = bytes.toString('utf8');
      const tab = line.indexOf('\t');
      yield { path: JSON.parse(line.slice(0, tab)) as string, text: line.slice(tab + 1) };
    }
  }
}

async function nextOf(source: AsyncGenerator<KeyedLine>): Promise<KeyedLine | undefined> {
  const step = await source.next();
  return step.done === true ? undefined : step.value;
}

function leastOf(heads: readonly (KeyedLine | undefined)[]): number | undefined {
  let least: number | undefined;
  let path: string | undefined;
  for (const [index, head] of heads.entries()) {
    if (head === undefined) continue;
    if (path !== undefined && compareByBytes(head.path, path) >= 0) continue;
    least = index;
    path = head.path;
  }
  return least;
}
