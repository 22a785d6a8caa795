import { createCipheriv, createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** A file of a tree that is made for a test. Its bytes follow from its path and size alone. */
export interface TreeFile {
  /** Relative, with `/`. */
  readonly path: string;
  readonly sizeBytes: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;
const BLOCK = Buffer.alloc(MiB);

/** Names that are legal on Linux and break a naive client: encode, split or normalise one and it is lost. */
export const AWKWARD_NAMES: readonly string[] = [
  'with space.txt',
  ' leading and trailing ',
  '100%.txt',
  '%41.txt',
  'a%20b',
  'hash#tag?query=1&x=2;y.bin',
  'plus+plus=.bin',
  'ampers&and.txt',
  `it's "quoted".txt`,
  '.hidden',
  '..two-dots-first',
  '-rf',
  '~tilde',
  '$HOME',
  '[brackets]{braces}(round).txt',
  'semi;colon,comma@at!.txt',
  'caf\u00e9-nfc.txt',
  'cafe\u0301-nfd.txt',
  '日本語.txt',
  'emoji-🚀👩‍🔬.bin',
  '\u{10000}-astral.txt',
  '\uff5e-fullwidth.txt',
  'line\nbreak.txt',
  'trailing.',
  'CON',
  `${'long-'.repeat(49)}.bin`,
  'UPPER.TXT',
  'no-extension',
  'star*.txt',
  'pipe|less<more>.txt',
  'colon:name',
  'back`tick',
];

/** The awkward names that an object store or an HTTP server can hold too: all but the newline. */
export const AWKWARD_NAMES_ON_ONE_LINE: readonly string[] = AWKWARD_NAMES.filter(
  (name) => !name.includes('\n'),
);

/** The awkward names that MLflow's artifact service can hold: it refuses `#`, and decodes `%41` itself. */
export const AWKWARD_NAMES_FOR_MLFLOW: readonly string[] = AWKWARD_NAMES.filter(
  (name) => !/[\n#]|%[0-9a-f]{2}/iu.test(name),
);

/** Sizes around the edges: empty, one byte, around a block, around a part. */
export function edgeSizes(partBytes: number): readonly number[] {
  return [0, 1, 4095, 4096, 4097, partBytes - 1, partBytes, partBytes + 1, 2 * partBytes + 17];
}

export interface TreeOptions {
  /** The number of files, at least the awkward ones; the rest lie in folders up to five deep. */
  readonly fileCount: number;
  /** The sizes of the first files, after which small ones follow; empty by default. */
  readonly largeSizes?: readonly number[];
  /** AWKWARD_NAMES by default; `[]` for plain names only. */
  readonly names?: readonly string[];
}

/** The files of a tree with awkward names, edge sizes and deep folders; the same every time. */
export function treeFiles(options: TreeOptions): readonly TreeFile[] {
  const files: TreeFile[] = [];
  (options.largeSizes ?? []).forEach((sizeBytes, index) => {
    files.push({ path: `large/weights-${index}.safetensors`, sizeBytes });
  });
  const names = options.names ?? AWKWARD_NAMES;
  const folder = names.some((name) => name.includes('#')) ? 'odd folder #1 %' : 'odd folder & +';
  for (const [index, name] of names.entries()) {
    if (index % 3 === 2) files.push({ path: `${folder}/${name}`, sizeBytes: index });
    else files.push({ path: name, sizeBytes: index * 37 });
  }
  for (let index = 0; files.length < options.fileCount; index += 1) {
    const depth = index % 6;
    const folders = Array.from({ length: depth }, (_, level) => `d${(index + level) % 7}`);
    const path = [...folders, `file-${String(index).padStart(5, '0')}.bin`].join('/');
    files.push({ path, sizeBytes: (index * 7919) % (16 * KiB) });
  }
  return files;
}

/** The bytes of a file: a key stream, fast and not compressible, that differs from file to file. */
export function contentOf({ path, sizeBytes }: TreeFile): Buffer {
  return keyStream(path).update(Buffer.alloc(sizeBytes));
}

/** Writes the files under `dir`, which is created. */
export async function writeTree(dir: string, files: readonly TreeFile[]): Promise<void> {
  for (const file of files) {
    const target = join(dir, file.path);
    await mkdir(dirname(target), { recursive: true });
    const handle = await open(target, 'w');
    try {
      const stream = keyStream(file.path);
      for (let left = file.sizeBytes; left > 0; left -= BLOCK.length) {
        await handle.writeFile(stream.update(BLOCK.subarray(0, Math.min(left, BLOCK.length))));
      }
    } finally {
      await handle.close();
    }
  }
}

/** path -> sha256 of every file that `treeFiles` describes, without writing them. */
export function expectedDigests(files: readonly TreeFile[]): Map<string, string> {
  return new Map(files.map((file) => [file.path, expectedDigest(file)]));
}

/** By path and size: a suite asks for the same gigabytes after each of its pulls. */
const known = new Map<string, string>();

function expectedDigest({ path, sizeBytes }: TreeFile): string {
  const key = `${sizeBytes} ${path}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const hash = createHash('sha256');
  const stream = keyStream(path);
  for (let left = sizeBytes; left > 0; left -= BLOCK.length) {
    hash.update(stream.update(BLOCK.subarray(0, Math.min(left, BLOCK.length))));
  }
  const digest = hash.digest('hex');
  known.set(key, digest);
  return digest;
}

/** path -> sha256 of every file below `dir`, without `.waybill`; compare it with toEqual. */
export async function digestsOfTree(dir: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  await collect(dir, '', found);
  return found;
}

async function collect(root: string, prefix: string, found: Map<string, string>): Promise<void> {
  const entries = await readdir(join(root, prefix), { withFileTypes: true });
  for (const entry of entries) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.name === '.waybill') continue;
    if (entry.isDirectory()) {
      await collect(root, path, found);
      continue;
    }
    const hash = createHash('sha256');
    await pipeline(createReadStream(join(root, path)), hash);
    found.set(path, hash.digest('hex'));
  }
}

function keyStream(path: string): ReturnType<typeof createCipheriv> {
  const key = createHash('sha256').update(path).digest();
  return createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16, 32));
}
