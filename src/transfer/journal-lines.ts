/** The lines of a journal: their shapes, and what is read of the many without parsing them. */
import * as z from 'zod';
import { isErrorCode, type ErrorCode } from '../model/errors.js';
import { SPECIAL_KINDS } from '../model/special.js';
import { manifestEntrySchema, type LocalStamp } from '../manifest/manifest.js';
import { isPlainEntry } from '../manifest/plain-entry.js';

const headSchema = z.object({
  kind: z.literal('head'),
  host: z.string(),
  bootId: z.string(),
  pid: z.number(),
  startTicks: z.string(),
});
const fetchedSchema = z.object({
  kind: z.literal('fetched'),
  planId: z.string(),
  entry: manifestEntrySchema,
  bytesFetched: z.number().default(0),
});
const publishingSchema = z.object({
  kind: z.literal('publishing'),
  planId: z.string(),
  entry: manifestEntrySchema,
  /** The partial that gets the name; after a kill in between it may have both. */
  partialName: z.string().exactOptional(),
});
const failedSchema = z.object({
  kind: z.literal('failed'),
  planId: z.string(),
  path: z.string(),
  code: z.custom<ErrorCode>(isErrorCode),
  message: z.string(),
});
const warningSchema = z.object({
  kind: z.literal('warning'),
  planId: z.string(),
  message: z.string(),
});
const recordSchema = z.object({
  kind: z.literal('skipped record'),
  planId: z.string(),
  path: z.string(),
});
const specialSchema = z.object({
  kind: z.literal('skipped special'),
  planId: z.string(),
  path: z.string(),
  special: z.enum(SPECIAL_KINDS),
});
const durableSchema = z.object({ kind: z.literal('durable') });
const lineSchema = z.discriminatedUnion('kind', [
  headSchema,
  fetchedSchema,
  publishingSchema,
  failedSchema,
  warningSchema,
  recordSchema,
  specialSchema,
  durableSchema,
]);

/** Who writes: enough to tell a dead writer from a living one. */
export interface WriterIdentity {
  readonly host: string;
  readonly bootId: string;
  readonly pid: number;
  /** Clock ticks since boot when the process started. */
  readonly startTicks: string;
}

/** A file that is in place. */
export type FetchedLine = z.infer<typeof fetchedSchema>;
/**
 * A file that is flushed and about to get its name. After a kill between the two, the file under that name is
 * recognised by inode, time and size as ours, and not taken for somebody else's.
 */
export type PublishingLine = z.infer<typeof publishingSchema>;
/** A file that finally failed. */
export type FailedLine = z.infer<typeof failedSchema>;
/** What a plan left out, for it is neither file nor folder. */
export type SpecialLine = z.infer<typeof specialSchema>;
/** Any line. */
export type Line = z.infer<typeof lineSchema>;

/** A line whose sum is right; undefined where this version does not understand it. */
export function parseLine(text: string): Line | undefined {
  const value: unknown = JSON.parse(text);
  return isPlainFetched(value) ? value : lineSchema.safeParse(value).data;
}

/** The usual line: the schema takes it as it is, and longer. */
function isPlainFetched(value: unknown): value is FetchedLine {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, planId, entry, bytesFetched, ...rest } = value as Record<string, unknown>;
  if (kind !== 'fetched' || typeof planId !== 'string') return false;
  if (typeof bytesFetched !== 'number' || Object.keys(rest).length > 0) return false;
  return isPlainEntry(entry);
}

/** A line of a file that is put together already. */
export interface FileLine {
  readonly planId: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly text: string;
}

/** What is put together: `head` is that of the file's line (`headOfLine`), the stamp makes it whole. */
export interface LineParts {
  readonly planId: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly head: string;
  readonly stamp: LocalStamp;
}

/** As `JSON.stringify` of a FetchedLine, of parts that are text already. */
export function fetchedText(parts: LineParts, bytesFetched: number): FileLine {
  return lineOfParts('fetched', parts, `"bytesFetched":${bytesFetched}`);
}

/** As `JSON.stringify` of a PublishingLine. */
export function publishingText(parts: LineParts, partialName: string): FileLine {
  return lineOfParts('publishing', parts, `"partialName":${JSON.stringify(partialName)}`);
}

function lineOfParts(kind: string, parts: LineParts, last: string): FileLine {
  const { planId, path, sizeBytes, head, stamp } = parts;
  const { mtimeNs, ctimeNs, inode } = stamp;
  const local = `"local":{"mtimeNs":"${mtimeNs}","ctimeNs":"${ctimeNs}","inode":"${inode}"}`;
  const text = `{"kind":"${kind}","planId":${JSON.stringify(planId)},"entry":${head},${local}},${last}}`;
  return { planId, path, sizeBytes, text };
}

/** The line of a file as text. */
export function fileLineOf(line: FetchedLine | PublishingLine | FileLine): FileLine {
  if ('text' in line) return line;
  const { planId, entry } = line;
  return { planId, path: entry.path, sizeBytes: entry.sizeBytes, text: JSON.stringify(line) };
}

/** What an index needs of a line of a file. */
export interface LineKeys {
  readonly kind: string;
  readonly planId: string;
  readonly path: string;
  readonly sizeBytes: number;
}

/** How lines of files are written. Of a million files there are two million: only the one that is asked for is parsed. */
const OF_FILE =
  /^\{"kind":"(fetched|publishing)","planId":"([^"\\]*)","entry":\{"path":("(?:[^"\\]|\\.)+"),"sizeBytes":(\d+),/;

/** What an index needs of a line of a file; undefined: it is none, or has another form. */
export function keysOf(text: string): LineKeys | undefined {
  const [, kind, planId, quoted, size] = OF_FILE.exec(text) ?? [];
  if (kind === undefined || planId === undefined || quoted === undefined) return undefined;
  const path = quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
  return { kind, planId, path, sizeBytes: Number(size) };
}
