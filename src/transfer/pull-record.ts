/** `pull.json`: the request of the pull at hand, from which it can be started again when Temporal has lost it. */
import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { recordFolderBeside } from '../manifest/receipt.js';
import { RECORD_FOLDER } from '../model/object-path.js';
import { LEVELS } from '../model/level.js';
import { IF_EXISTS, PROTOCOL, type PullRequest } from '../model/pull.js';
import { WaybillError } from '../model/errors.js';
import { readJson, writeFileDurably } from './durable-file.js';
import { RECORD_NAMES } from './layout.js';

const count = z.int().nonnegative();
const texts = z.array(z.string()).readonly();
const settings = z.record(z.string(), z.string());

/** The shape of a PullRequest. An unknown field is an error, never dropped (rule 9). */
export const pullRequestSchema = z.strictObject({
  protocol: z.int().refine((version): boolean => version === PROTOCOL, `not protocol ${PROTOCOL}`),
  source: z.strictObject({
    uri: z.string().min(1),
    settings,
    credentials: z.string().exactOptional(),
    connection: z.string().exactOptional(),
  }),
  destination: z.strictObject({ path: z.string().startsWith('/'), isFolder: z.boolean() }),
  filters: z.strictObject({ include: texts, exclude: texts, files: texts.exactOptional() }),
  ifExists: z.enum(IF_EXISTS),
  requireLevel: z.enum(LEVELS),
  acceptUnprovenLength: z.boolean(),
  expect: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('digest'), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
      z.strictObject({ kind: z.literal('list'), location: z.string().min(1) }),
    ])
    .exactOptional(),
  checksum: z.boolean(),
  prune: z.boolean(),
  reread: z.boolean(),
  replaceSource: z.boolean(),
  takeOver: z.boolean(),
  concurrency: z.int().positive().exactOptional(),
  maxBytesPerSecond: z.int().positive().exactOptional(),
  maxRequestsPerSecond: z.number().positive().exactOptional(),
  giveUpAfterMs: count.exactOptional(),
  timeoutMs: count.exactOptional(),
  maxFiles: count.exactOptional(),
  maxBytes: count.exactOptional(),
});

const resolvedSchema = z.strictObject({
  uri: z.string(),
  settings,
  revision: z.string().exactOptional(),
  transport: z.string().exactOptional(),
  facts: settings.exactOptional(),
  kind: z.enum(['file', 'tree']),
  name: z.string(),
});

const recordSchema = z.strictObject({
  v: z.literal(1),
  pullId: z.string(),
  runId: z.string(),
  request: pullRequestSchema,
  resolved: resolvedSchema,
  startedAt: z.string(),
  /** The first claim made the folder of the files: it goes again if nothing comes of the pull. */
  madeFolder: z.boolean(),
});

/** What a destination knows of the pull at hand. */
export type PullRecord = z.infer<typeof recordSchema>;

/** Checks a request that came from outside. Throws WB_VERSION_SKEW naming the field that is not understood. */
export function parseRequest(value: unknown): PullRequest {
  const parsed = pullRequestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = [...(issue?.path ?? [])].join('.') || 'the request';
  throw new WaybillError(
    'WB_VERSION_SKEW',
    `the worker does not understand this request (${where}: ${issue?.message ?? ''}): it was made by another version of Waybill`,
    { operation: 'read the request' },
  );
}

const fileOf = (recordDir: string): string => join(recordDir, RECORD_NAMES.pull);

/** The record of the pull at hand; undefined if there is none. */
export function readPullRecord(recordDir: string): Promise<PullRecord | undefined> {
  return readJson(fileOf(recordDir), recordSchema);
}

/**
 * The record of the pull whose request names this path, with its id if that is known: the record of a folder, of a
 * single file, or of a file that went into a folder. Undefined if there is none that this version understands.
 */
export async function findPullRecord(
  path: string,
  pullId?: string,
): Promise<PullRecord | undefined> {
  const inside: string[] = await readdir(path).catch(() => []);
  const folders = [
    join(path, RECORD_FOLDER),
    join(dirname(path), recordFolderBeside(basename(path))),
    ...inside.filter((name) => /^\..+\.waybill$/u.test(name)).map((name) => join(path, name)),
  ];
  for (const folder of folders) {
    const record = await readPullRecord(folder).catch(() => undefined);
    if (record !== undefined && (pullId ?? record.pullId) === record.pullId) return record;
  }
  return undefined;
}

export async function writePullRecord(recordDir: string, record: PullRecord): Promise<void> {
  await writeFileDurably(fileOf(recordDir), `${JSON.stringify(recordSchema.parse(record))}\n`);
}
