/** Trees to pull, and whether they came whole. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Tree {
  readonly names: readonly string[];
  /** What is missing at a destination, has other bytes, or does not belong there; empty where all is well. */
  wrongIn(destination: string): readonly string[];
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Writes so many files of one size, each with bytes of its own. */
export function writeTree(folder: string, files: number, fileBytes: number): Tree {
  mkdirSync(folder, { recursive: true });
  const body = randomBytes(fileBytes);
  const digests = new Map<string, string>();
  for (let index = 0; index < files; index += 1) {
    const name = `part-${String(index).padStart(5, '0')}.bin`;
    if (fileBytes >= 4) body.writeUInt32LE(index);
    writeFileSync(join(folder, name), body);
    digests.set(name, digest(body));
  }
  return {
    names: [...digests.keys()],
    wrongIn: (destination) => {
      const there = readdirSync(destination).filter((name) => name !== '.waybill');
      const wrong = [...digests.keys()].filter((name) => {
        const path = join(destination, name);
        return !existsSync(path) || digest(readFileSync(path)) !== digests.get(name);
      });
      const added = there.filter((name) => !digests.has(name) && name !== 'SHA256SUMS');
      const record = join('.waybill', 'receipt.json');
      const missing = existsSync(join(destination, record)) ? [] : [record];
      return [...wrong, ...added, ...missing];
    },
  };
}
