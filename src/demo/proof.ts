import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, open, readFile, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import * as z from 'zod';

const lineSchema = z.object({ level: z.string() });

/** The level of each file of a finished pull, from its manifest. */
export async function readManifestLevels(dir: string): Promise<readonly string[]> {
  const text = await readFile(join(dir, '.waybill', 'manifest.ndjson'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => lineSchema.safeParse(JSON.parse(line)))
    .flatMap((parsed) => (parsed.success ? [parsed.data.level] : []));
}

/** The SHA-256 of a file, in lowercase hex. */
export async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** Whether something has this name. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Flips the lowest bit in the middle of a file and puts its times back, as a failing disk would. */
export async function flipBit(file: string): Promise<void> {
  const before = await stat(file);
  const handle = await open(file, 'r+');
  try {
    const middle = Math.floor(before.size / 2);
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, middle);
    byte.writeUInt8(byte.readUInt8(0) ^ 1, 0);
    await handle.write(byte, 0, 1, middle);
  } finally {
    await handle.close();
  }
  await utimes(file, before.atime, before.mtime);
}

/** Bytes as a person reads them: `300.0 MiB`. */
export function mebibytes(bytes: number): string {
  return `${(bytes / (1024 * 1024)).toFixed(1)} MiB`;
}
