/**
 * `receipt.json`: what a finished pull says about itself, for a reader who has never seen Waybill (rule 33), and
 * `seal.json`, what `waybill seal` says about a tree before it is published. Format version 1.
 */
import * as z from 'zod';
import { WaybillError, isErrorCode } from '../model/errors.js';
import type { ErrorCode } from '../model/errors.js';
import { LEVELS } from '../model/level.js';
import { RECORD_FOLDER } from '../model/object-path.js';
import { SPECIAL_KINDS } from '../model/special.js';

/** The names of the record's files, inside the record folder. */
export const RECORD_FILES = {
  sums: 'SHA256SUMS',
  manifest: 'manifest.ndjson',
  /** Exists only when all that it says is on disk. */
  receipt: 'receipt.json',
  /** Left by a pull in which files failed; never together with `receipt.json`. */
  partialReceipt: 'receipt.partial.json',
  /** What the registry that the source was found in knows of it, as its server said it. */
  source: 'source.json',
  /** Left by `waybill seal`. */
  seal: 'seal.json',
  /** The folder that an earlier record moves to before the first new byte (rule 19). */
  previous: 'previous',
} as const;

/** The name of the record folder beside a single file: `.<name>.waybill`. */
export function recordFolderBeside(fileName: string): string {
  return `.${fileName}${RECORD_FOLDER}`;
}

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'not 64 lowercase hex digits');
const count = z.int().nonnegative();
const texts = z.array(z.string());
const errorCode = z.custom<ErrorCode>(isErrorCode, 'not an error code');

/** A list that may be long: how many there are, and the first of them. */
const cappedSchema = z.object({ count, first: texts });

/** How many names a receipt lists by name; the manifest and the journal have all of them. */
export const MAX_NAMES_IN_RECEIPT = 1_000;

/** Cuts a list of names for the receipt. */
export function capNames(names: readonly string[]): z.infer<typeof cappedSchema> {
  return { count: names.length, first: names.slice(0, MAX_NAMES_IN_RECEIPT) };
}

const treeFields = {
  v: z.literal(1),
  /** One sentence: how a stranger re-checks the files with nothing but coreutils. */
  howToCheck: z.string(),
  /** Version of the Waybill that wrote it. */
  waybill: z.string(),
  kind: z.enum(['tree', 'file']),
  counts: z.object({
    files: count,
    /** Of these: fetched by this pull. The others were in place. */
    filesFetched: count.exactOptional(),
    filesKept: count.exactOptional(),
    filesFailed: count.exactOptional(),
    /** Only of a pull that was ended: planned, and not come to. */
    filesLeft: count.exactOptional(),
  }),
  bytes: count,
  /** Bytes that came over the network. */
  bytesFetched: count.exactOptional(),
  /** SHA-256 of SHA256SUMS. */
  treeDigest: sha256,
  /** The root of OpenSSF Model Signing v1; null for a tree without files. */
  omsDigest: sha256.nullable(),
  /** SHA-256 of manifest.ndjson. */
  manifestDigest: sha256,
};

export const receiptSchema = z.object({
  ...treeFields,
  source: z.object({
    /** As asked, without secrets (rule 3). */
    asked: z.string(),
    /** The storage URI that it meant, without secrets. */
    resolved: z.string(),
    /** What a reference meant at that time: a model version, a run id. */
    revision: z.string().exactOptional(),
    /** How the bytes travelled, and why. */
    transport: z.string().exactOptional(),
    facts: z.record(z.string(), z.string()).exactOptional(),
  }),
  /** Absolute path at the time of the pull. */
  destination: z.string(),
  /** The filters, where there were any: the tree is then a part of the source. */
  filters: z
    .object({ include: texts, exclude: texts, filesFrom: z.literal(true).exactOptional() })
    .exactOptional(),
  requireLevel: z.enum(LEVELS).exactOptional(),
  /** Files by how well they are proven. */
  levels: z.partialRecord(z.enum(LEVELS), count),
  /** Files that `--reread` read back: past the page cache, or through it where it could not be passed by. */
  readBack: z.object({ disk: count, cache: count }).exactOptional(),
  /** Files of an earlier pull that the source no longer has; they are still there. */
  stale: cappedSchema,
  /** Files that the source no longer has and that this pull removed (`--prune`). */
  pruned: cappedSchema.exactOptional(),
  skipped: z.object({
    /** Files below a folder called `.waybill` at the source (rule 23). */
    records: cappedSchema,
    /** Sockets, FIFOs and devices at the source, never opened (rule 24). */
    special: cappedSchema.extend({
      /** How many of each. */
      kinds: z.partialRecord(z.enum(SPECIAL_KINDS), count).exactOptional(),
    }),
    /** Files that were there already and were left alone (`--if-exists skip`). */
    existing: cappedSchema.exactOptional(),
  }),
  /** Only in receipt.partial.json: what ended the pull before it was through. */
  ended: z.object({ code: errorCode, message: z.string() }).exactOptional(),
  /** Only in receipt.partial.json. */
  failures: z
    .array(z.object({ path: z.string(), code: errorCode, message: z.string() }))
    .exactOptional(),
  warnings: texts,
  pull: z.object({ workflowId: z.string(), runId: z.string() }),
  /** ISO 8601, UTC. */
  startedAt: z.string(),
  endedAt: z.string(),
});

/** What a pull has brought. */
export type Receipt = z.infer<typeof receiptSchema>;

export const sealSchema = z.object({
  ...treeFields,
  /** ISO 8601, UTC. */
  sealedAt: z.string(),
});

/** What a tree was when it was sealed. */
export type Seal = z.infer<typeof sealSchema>;

/** The sentence for `howToCheck`. `recordFolder` is the name of the folder that the record is in. */
export function howToCheck(recordFolder: string): string {
  const plain = /^[\w.-]+$/.test(recordFolder);
  const quoted = plain ? recordFolder : `'${recordFolder.replaceAll("'", "'\\''")}'`;
  return (
    `In the folder that holds this record folder, run: ` +
    `sha256sum --strict -c ${quoted}/${RECORD_FILES.sums} ` +
    `(treeDigest is the SHA-256 of that list itself, manifestDigest that of ${RECORD_FILES.manifest}).`
  );
}

/** The receipt as text, for the file. Throws WB_UNEXPECTED if it is none. */
export function encodeReceipt(receipt: Receipt): string {
  return encode(receiptSchema, receipt, 'receipt');
}

/** The seal as text, for the file. Throws WB_UNEXPECTED if it is none. */
export function encodeSeal(seal: Seal): string {
  return encode(sealSchema, seal, 'seal');
}

/** Reads a receipt. Unknown fields are dropped; anything else that is wrong is WB_LOCAL_DAMAGE. */
export function decodeReceipt(text: string, name: string): Receipt {
  return decode(receiptSchema, text, name);
}

/** Reads a seal. Unknown fields are dropped; anything else that is wrong is WB_LOCAL_DAMAGE. */
export function decodeSeal(text: string, name: string): Seal {
  return decode(sealSchema, text, name);
}

function encode<T>(schema: z.ZodType<T>, value: T, what: string): string {
  const checked = schema.safeParse(value);
  if (checked.success) return `${JSON.stringify(checked.data, undefined, 2)}\n`;
  throw new WaybillError('WB_UNEXPECTED', `a ${what} was made that is none`, {
    operation: 'format',
    cause: checked.error,
  });
}

function decode<T>(schema: z.ZodType<T>, text: string, name: string): T {
  const fail = (what: string, cause?: unknown): WaybillError =>
    new WaybillError('WB_LOCAL_DAMAGE', `${name} ${what}`, { operation: 'parse', cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail('is not JSON: the file was cut or edited', cause);
  }
  const version = z.object({ v: z.int() }).safeParse(value);
  if (version.success && version.data.v > 1) {
    const message = `${name} has format ${version.data.v}; this Waybill reads format 1: update Waybill`;
    throw new WaybillError('WB_VERSION_SKEW', message, { operation: 'parse' });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw fail(`is damaged: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}
