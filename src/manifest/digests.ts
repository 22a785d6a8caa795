/**
 * Digests of whole trees, computed while the files go by in ascending byte order of the path. Hashing enters as a
 * parameter, so that this room stays free of any platform.
 */
import { WaybillError } from '../model/errors.js';
import { LEVELS } from '../model/level.js';
import type { LevelCounts } from '../model/level.js';
import { compareByBytes } from '../model/object-path.js';
import { encodeManifestLine } from './manifest.js';
import type { ManifestEntry } from './manifest.js';
import { OmsOrder, type LateFolders } from './oms-order.js';
import { formatSumsLine } from './sha256sums.js';
import type { SumsEntry } from './sha256sums.js';

/** A running SHA-256; a `Hash` of node:crypto is one. Text counts as UTF-8. */
export interface Hasher {
  update(data: string | Uint8Array): unknown;
  digest(encoding: 'hex'): string;
}

/** Makes a SHA-256 that has seen nothing: `() => createHash('sha256')`. */
export type NewSha256 = () => Hasher;

/** What names a tree. */
export interface TreeDigests {
  /** SHA-256 of the bytes of SHA256SUMS: it names the tree, names included. */
  readonly treeDigest: string;
  /** The root of OpenSSF Model Signing v1 (rule 31); null for a tree without files that count. */
  readonly omsDigest: string | null;
}

/** Characters that are gathered before they are hashed: a call for each line would cost more than its bytes. */
const GATHERED_CHARACTERS = 32_768;

/** A running SHA-256 over many short texts. */
class TextHasher {
  readonly #hasher: Hasher;
  #gathered = '';

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  update(text: string): void {
    this.#gathered += text;
    if (this.#gathered.length < GATHERED_CHARACTERS) return;
    this.#hasher.update(this.#gathered);
    this.#gathered = '';
  }

  hex(): string {
    this.#hasher.update(this.#gathered);
    return this.#hasher.digest('hex');
  }
}

/** Computes the digests of a tree. `add` wants ascending byte order; the result can be asked for once. */
export class TreeDigester {
  readonly #sums: TextHasher;
  readonly #oms: OmsOrder;
  readonly #root: Hasher;
  #omsFiles = 0;
  #last: string | undefined;

  /** @param late as of OmsOrder */
  constructor(newSha256: NewSha256, late?: LateFolders) {
    this.#sums = new TextHasher(newSha256());
    this.#root = newSha256();
    this.#oms = new OmsOrder((sha256) => {
      this.#omsFiles += 1;
      this.#root.update(bytesOfHex(sha256));
    }, late);
  }

  /** Takes the next file and returns its line of SHA256SUMS. Throws WB_UNEXPECTED when out of order. */
  add(entry: SumsEntry): string {
    this.#last = inOrder(this.#last, entry.path);
    const line = formatSumsLine(entry);
    this.#sums.update(line);
    this.#oms.add(entry);
    return line;
  }

  result(): TreeDigests {
    this.#oms.end();
    return {
      treeDigest: this.#sums.hex(),
      omsDigest: this.#omsFiles === 0 ? null : this.#root.digest('hex'),
    };
  }
}

/** All that the receipt says about the files, once the last has gone by. */
export interface RecordTotals extends TreeDigests {
  /** SHA-256 of the bytes of manifest.ndjson. */
  readonly manifestDigest: string;
  readonly files: number;
  readonly bytes: number;
  readonly levels: LevelCounts;
  readonly staleFiles: number;
}

/** The lines of one file for the two record files. */
export interface RecordLines {
  /** Its line of SHA256SUMS; '' for a stale file, which is not listed there. */
  readonly sums: string;
  readonly manifest: string;
}

/** Writes SHA256SUMS and manifest.ndjson line by line and counts along. */
export class RecordWriter {
  readonly #tree: TreeDigester;
  readonly #manifest: TextHasher;
  readonly #levels = new Map<string, number>();
  #files = 0;
  #bytes = 0;
  #staleFiles = 0;
  #last: string | undefined;

  /** @param late as of OmsOrder */
  constructor(newSha256: NewSha256, late?: LateFolders) {
    this.#tree = new TreeDigester(newSha256, late);
    this.#manifest = new TextHasher(newSha256());
  }

  /**
   * Takes the next file, in ascending byte order of the path, stale ones among the others.
   */
  add(entry: ManifestEntry): RecordLines {
    return this.addLine(entry, encodeManifestLine(entry));
  }

  /** As `add`, where the manifest line was made before. */
  addLine(
    entry: Pick<ManifestEntry, 'path' | 'sizeBytes' | 'sha256' | 'level' | 'isStale'>,
    manifest: string,
  ): RecordLines {
    this.#last = inOrder(this.#last, entry.path);
    this.#manifest.update(manifest);
    if (entry.isStale === true) {
      this.#staleFiles += 1;
      return { sums: '', manifest };
    }
    this.#files += 1;
    this.#bytes += entry.sizeBytes;
    this.#levels.set(entry.level, (this.#levels.get(entry.level) ?? 0) + 1);
    return { sums: this.#tree.add(entry), manifest };
  }

  result(): RecordTotals {
    const levels: LevelCounts = {};
    for (const level of LEVELS) {
      const count = this.#levels.get(level);
      if (count !== undefined) levels[level] = count;
    }
    return {
      ...this.#tree.result(),
      manifestDigest: this.#manifest.hex(),
      files: this.#files,
      bytes: this.#bytes,
      levels,
      staleFiles: this.#staleFiles,
    };
  }
}

/** The digests of files in ascending byte order of the path. */
export async function digestTree(
  entries: AsyncIterable<SumsEntry> | Iterable<SumsEntry>,
  newSha256: NewSha256,
): Promise<TreeDigests> {
  const digester = new TreeDigester(newSha256);
  for await (const entry of entries) digester.add(entry);
  return digester.result();
}

function inOrder(last: string | undefined, path: string): string {
  if (last === undefined || compareByBytes(last, path) < 0) return path;
  throw new WaybillError('WB_UNEXPECTED', 'the files of a tree came out of order', {
    operation: 'digest',
    path,
  });
}

function bytesOfHex(hex: string): Uint8Array {
  const bytes = new Uint8Array(hex.length / 2);
  for (let index = 0; index < bytes.length; index += 1) {
    bytes[index] = (digitAt(hex, index * 2) << 4) | digitAt(hex, index * 2 + 1);
  }
  return bytes;
}

/** Of a lowercase hex digit. */
function digitAt(hex: string, index: number): number {
  const unit = hex.charCodeAt(index);
  return unit < 0x61 ? unit - 0x30 : unit - 0x57;
}
