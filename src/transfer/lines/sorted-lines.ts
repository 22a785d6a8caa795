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

/** What comes in order makes one run, however much of it is written at once: it is gone before a collection keeps it. */
const HELD_IN_ORDER = 256 * 1024;

/** What is read of each run at once. */
const READ_BYTES = 128 * 1024;

/** Lines that are given back at once, or a few more. */
const MERGED_LINES = 256;

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
  private everInOrder = true;
  private readonly runs: Run[] = [];

  /** @param folder made when it is needed, and removed by `drop` with all that is in it; its parent is there */
  constructor(
    private readonly folder: string,
    private readonly heldCharacters: number = HELD_CHARACTERS,
    private readonly heldInOrder: number = Math.min(heldCharacters, HELD_IN_ORDER),
  ) {}

  /** Runs that did not fit into memory. */
  get runsOnDisk(): number {
    return this.runs.length;
  }

  /** Whether all came in the order in which `sorted` gives them back. */
  get cameInOrder(): boolean {
    return this.everInOrder;
  }

  /** Takes a line; a promise where some must be written first. Throws WB_NO_SPACE and its kin. */
  add(path: string, text: string): Promise<void> | undefined {
    if (this.lastPath !== undefined && compareByBytes(this.lastPath, path) > 0) {
      this.isInOrder = false;
      this.everInOrder = false;
    }
    this.lastPath = path;
    this.held.push({ path, text });
    this.characters += path.length + text.length;
    const most = this.everInOrder ? this.heldInOrder : this.heldCharacters;
    return this.characters >= most ? this.spill() : undefined;
  }

  /** All lines, sorted, some at a time. */
  async *sorted(): AsyncGenerator<readonly KeyedLine[]> {
    const sources = this.runs.map(({ file }) => new Source(readRun(file)));
    sources.push(new Source(inPieces(this.sortHeld())));
    for (const source of sources) await source.fill();
    let merged: KeyedLine[] = [];
    for (;;) {
      const left = sources.filter(({ head }) => head !== undefined);
      const [only] = left;
      if (only === undefined) break;
      if (left.length === 1) {
        // Most trees come in order: there is nothing to compare.
        merged.push(...only.rest());
      } else {
        // As long as none of them has to be read, nobody has to wait.
        for (let least: Source | undefined = only; least !== undefined;) {
          least = leastOf(left);
          if (least?.head !== undefined) merged.push(least.head);
          if (least?.step() !== true) break;
        }
      }
      for (const source of left) if (source.head === undefined) await source.fill();
      if (merged.length < MERGED_LINES) continue;
      yield merged;
      merged = [];
    }
    if (merged.length > 0) yield merged;
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

/** One sorted sequence of lines, some of it in memory. */
class Source {
  private lines: readonly KeyedLine[] = [];
  private at = 0;

  constructor(private readonly pieces: AsyncGenerator<readonly KeyedLine[]>) {}

  /** Undefined: it has to be filled, or has ended. */
  get head(): KeyedLine | undefined {
    return this.lines[this.at];
  }

  /** Takes the head away; false where nothing is behind it in memory. */
  step(): boolean {
    this.at += 1;
    return this.at < this.lines.length;
  }

  /** Takes away what is in memory. */
  rest(): readonly KeyedLine[] {
    const rest = this.lines.slice(this.at);
    this.at = this.lines.length;
    return rest;
  }

  async fill(): Promise<void> {
    const step = await this.pieces.next();
    this.lines = step.done === true ? [] : step.value;
    this.at = 0;
  }
}

async function* inPieces(lines: readonly KeyedLine[]): AsyncGenerator<readonly KeyedLine[]> {
  for (let from = 0; from < lines.length; from += MERGED_LINES) {
    yield await Promise.resolve(lines.slice(from, from + MERGED_LINES));
  }
}

async function* readRun(file: string): AsyncGenerator<readonly KeyedLine[]> {
  for await (const lines of scanLines(file, { chunkBytes: READ_BYTES })) {
    const keyed = lines.map(({ bytes }) => {
      const line = bytes.toString('utf8');
      const tab = line.indexOf('\t');
      return { path: JSON.parse(line.slice(0, tab)) as string, text: line.slice(tab + 1) };
    });
    if (keyed.length > 0) yield keyed;
  }
}

/** The one with the smallest head, the first of several. */
function leastOf(sources: readonly Source[]): Source | undefined {
  let least: Source | undefined;
  for (const source of sources) {
    const { head } = source;
    if (head === undefined) continue;
    if (least?.head !== undefined && compareByBytes(head.path, least.head.path) >= 0) continue;
    least = source;
  }
  return least;
}
