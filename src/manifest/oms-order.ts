/**
 * The order of OpenSSF Model Signing v1 out of the order of SHA256SUMS, while files stream by (rule 31).
 *
 * Model Signing compares paths segment by segment, by code point: `a/b` comes before `a-b`. In byte order it is the
 * other way round, because `-` is smaller than `/`. A file is therefore held back while a folder that sorts
 * before it can still come, and no longer.
 */
import { compareByBytes } from '../model/object-path.js';
import type { SumsEntry } from './sha256sums.js';

/** First segments that do not count: the ignore list of the Model Signing tool, its signature, and our record. */
const IGNORED = new Set([
  '.waybill',
  '.git',
  '.gitattributes',
  '.github',
  '.gitignore',
  'model.sig',
]);

interface Held {
  /** The path with NUL for `/`, so that byte order is segment order. */
  readonly key: string;
  readonly sha256: string;
}

const SLASH = 0x2f;

/**
 * The folders that come behind a sibling in byte order, and before it in that of Model Signing: `a` of `a/b` where there is an
 * `a-b`. Who knows them all beforehand holds no file back for one that is not there.
 */
export class LateFolders {
  readonly #late = new Set<string>();
  #last = '';

  /** Takes the next path, in byte order. What comes behind `a-` and is below `a` comes directly behind it. */
  pass(path: string): void {
    const last = this.#last;
    this.#last = path;
    let index = 0;
    while (index < last.length && last.charCodeAt(index) === path.charCodeAt(index)) index += 1;
    if (path.charCodeAt(index) !== SLASH || index === 0) return;
    if (last.charCodeAt(index) < SLASH) this.#late.add(path.slice(0, index));
  }

  get size(): number {
    return this.#late.size;
  }

  has(folder: string): boolean {
    return this.#late.has(folder);
  }
}

/** Takes files in byte order of the path and gives their digests out in the order of Model Signing. */
export class OmsOrder {
  readonly #emit: (sha256: string) => void;
  /** A binary heap, the smallest key first. */
  readonly #held: Held[] = [];

  readonly #late: LateFolders | undefined;

  /** @param late all late folders, where they are known: else every file that may have to wait does */
  constructor(emit: (sha256: string) => void, late?: LateFolders) {
    this.#emit = emit;
    this.#late = late;
  }

  /** Takes the next file. */
  add(entry: SumsEntry): void {
    const { path, sha256 } = entry;
    const slash = path.indexOf('/');
    if (IGNORED.has(slash < 0 ? path : path.slice(0, slash))) return;
    const key = keyOf(path);
    const bound = smallestKeyToCome(path, key, this.#late);
    while (this.#held.length > 0 && compareByBytes(this.#held[0]?.key ?? '', bound) < 0)
      this.#pop();
    this.#push({ key, sha256 });
  }

  /** Gives out what is still held. */
  end(): void {
    while (this.#held.length > 0) this.#pop();
  }

  #push(item: Held): void {
    const heap = this.#held;
    let index = heap.length;
    heap.push(item);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || compareByBytes(above.key, item.key) <= 0) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = item;
  }

  #pop(): void {
    const heap = this.#held;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return;
    this.#emit(first.sha256);
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      let below = heap[child];
      const right = heap[child + 1];
      if (below === undefined) break;
      if (right !== undefined && compareByBytes(right.key, below.key) < 0) {
        child += 1;
        below = right;
      }
      if (compareByBytes(last.key, below.key) <= 0) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}

function keyOf(path: string): string {
  return path.replaceAll('/', '\0');
}

/**
 * The smallest key that this path or one after it in byte order can have. Where the path goes on below `/` (as in
 * `a-b`), the folder before that place (`a/...`) may still come.
 */
function smallestKeyToCome(path: string, key: string, late: LateFolders | undefined): string {
  const length = late?.size === 0 ? 0 : path.length;
  for (let index = 1; index < length; index += 1) {
    const isPlace = path.charCodeAt(index) < SLASH && path.charCodeAt(index - 1) !== SLASH;
    if (!isPlace) continue;
    const folder = path.slice(0, index);
    if (late?.has(folder) !== false) return `${keyOf(folder)}\0`;
  }
  return key;
}
