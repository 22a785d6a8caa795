/**
 * The manifest: `manifest.ndjson`, one JSON object a line for each file, in ascending byte order of the path.
 * It says what SHA256SUMS cannot: sizes, pins, levels, and how each file was proven (rule 32).
 */
import * as z from 'zod';
import { WaybillError } from '../model/errors.js';
import { LEVELS } from '../model/level.js';
import { compareByBytes } from '../model/object-path.js';
import { splitLines } from './lines.js';
import { MD5CRC, textOfPlain } from './plain-entry.js';
import type { Chunks } from './lines.js';

const hex = (digits: number): z.ZodString =>
  z.string().regex(new RegExp(`^[0-9a-f]{${digits}}$`), `not ${digits} lowercase hex digits`);

const digestNameSchema = z.enum([
  'sha256',
  'sha1',
  'md5',
  'crc32',
  'crc32c',
  'crc64nvme',
  'md5crc',
]);

const digestsSchema = z.object({
  sha256: hex(64).exactOptional(),
  sha1: hex(40).exactOptional(),
  md5: hex(32).exactOptional(),
  crc32: hex(8).exactOptional(),
  crc32c: hex(8).exactOptional(),
  crc64nvme: hex(16).exactOptional(),
  md5crc: z.string().regex(MD5CRC, 'no checksum of HDFS with its sizes').exactOptional(),
});

const decimal = z.string().regex(/^-?\d+$/, 'not a whole number');

/** What the local file looked like when Waybill had written it; equal means: nobody touched it since. */
export const localStampSchema = z.object({
  mtimeNs: decimal,
  ctimeNs: decimal,
  inode: decimal,
});

/** Decimal numbers as text: nanoseconds and inodes do not fit into a double. */
export type LocalStamp = z.infer<typeof localStampSchema>;

export const manifestEntrySchema = z.object({
  path: z.string().min(1),
  sizeBytes: z.int().nonnegative(),
  sha256: hex(64),
  level: z.enum(LEVELS),
  /** The source's version of the file (rule 12). */
  pin: z.object({ strength: z.enum(['strong', 'weak']), value: z.string().min(1) }).exactOptional(),
  /** ISO 8601, UTC. */
  modifiedAt: z.string().exactOptional(),
  isExecutable: z.boolean().exactOptional(),
  /**
   * Where the expected digest that decided the level came from: `caller`, `seal at the source`,
   * `SHA256SUMS at the source`, `md5 of the store`, ... Absent at the levels `none` and `size`.
   */
  expectedFrom: z.string().exactOptional(),
  /** Checksums that the source gave for the file. */
  providerDigests: digestsSchema.exactOptional(),
  /** The digests that were really computed and compared with an expected value (rule 32). */
  comparedDigests: z.array(digestNameSchema),
  /** How often the file was tried; 0: it was in place already. */
  attempts: z.int().nonnegative(),
  /**
   * `--reread`: the written file was read back and was the same, past the page cache (`disk`), or where that could not be
   * passed by (`cache`). Absent: it was not read back.
   */
  readBack: z.enum(['disk', 'cache']).exactOptional(),
  local: localStampSchema.exactOptional(),
  /** A file of an earlier pull that the source no longer has. It is not in SHA256SUMS and not in the counts. */
  isStale: z.literal(true).exactOptional(),
  /** Beside `isStale`: the pull left it alone (filters, `skip`, an early end), so nothing tells what the source has. */
  isLeft: z.literal(true).exactOptional(),
});

/** One file, as it arrived. */
export type ManifestEntry = z.infer<typeof manifestEntrySchema>;

/** One line of the manifest, line feed included; keys always come in the same order. WB_UNEXPECTED if it is none. */
export function encodeManifestLine(entry: ManifestEntry): string {
  const plain = textOfPlain(entry);
  if (plain !== undefined) return `${plain}\n`;
  const checked = manifestEntrySchema.safeParse(entry);
  if (checked.success) return `${JSON.stringify(checked.data)}\n`;
  throw new WaybillError('WB_UNEXPECTED', 'a manifest line was made that is none', {
    operation: 'format',
    path: entry.path,
    cause: checked.error,
  });
}

/** Reads one line. Fields that this version does not know are dropped. Throws WB_LOCAL_DAMAGE. */
export function decodeManifestLine(text: string, name: string, number: number): ManifestEntry {
  const fail = (what: string, cause?: unknown): WaybillError =>
    new WaybillError('WB_LOCAL_DAMAGE', `line ${number} of ${name} ${what}`, {
      operation: 'parse',
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail('is not JSON: the file was cut or edited', cause);
  }
  const parsed = manifestEntrySchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.join('.') ?? '';
  throw fail(`is no manifest line: ${where === '' ? '' : `${where}: `}${issue?.message ?? ''}`);
}

/**
 * Reads a manifest. Throws WB_LOCAL_DAMAGE for a torn last line, a line that is none, and lines out of order or
 * twice.
 */
export async function* decodeManifest(
  chunks: Chunks,
  options: { readonly name?: string } = {},
): AsyncGenerator<ManifestEntry> {
  const name = options.name ?? 'manifest.ndjson';
  let last: string | undefined;
  for await (const line of splitLines(chunks, { name, code: 'WB_LOCAL_DAMAGE' })) {
    if (line.isTorn) {
      const message = `line ${line.number} of ${name} is torn off: the file was cut`;
      throw new WaybillError('WB_LOCAL_DAMAGE', message, { operation: 'parse' });
    }
    const entry = decodeManifestLine(line.text, name, line.number);
    if (last !== undefined && compareByBytes(last, entry.path) >= 0) {
      const message = `line ${line.number} of ${name} is out of order: the file was edited`;
      throw new WaybillError('WB_LOCAL_DAMAGE', message, { operation: 'parse', path: entry.path });
    }
    last = entry.path;
    yield entry;
  }
}
