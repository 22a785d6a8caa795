/** Pieces that several JSON documents share. The files beside this one are generated from these: `npm run schemas`. */
import * as z from 'zod';
import { LEVELS, type Level } from '../../model/level.js';
import { SPECIAL_KINDS } from '../../model/special.js';
import { PHASES, type Failure, type PullResult } from '../../model/pull.js';

export const count = z.int().min(0);
export const text = z.string();
export const textOrNull = z.string().nullable();
export const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  .describe('ISO 8601, UTC');
export const digest = z.string().regex(/^[0-9a-f]{64}$/);
export const absolutePath = z.string().regex(/^\//);
export const code = z
  .string()
  .regex(/^WB_[A-Z_]+$/)
  .describe('a code of docs/errors.md');
export const phase = z.enum(PHASES);
export const state = z.enum(['running', 'done', 'failed', 'cancelled', 'unknown']);
export const exitCode = count.max(255).describe('as the process ends: docs/exit-codes.md');

export const failure = z.object({ path: text, code, message: text } satisfies Shape<Failure>);

export const levels = z.partialRecord(z.enum(LEVELS), count) satisfies z.ZodType<
  Partial<Record<Level, number>>
>;

export const specials = z
  .partialRecord(z.enum(SPECIAL_KINDS), count)
  .describe('left out, for they are neither file nor folder: how many of each');

/** Holds a schema to the fields of a type: a new field of the type has to be described here. */
export type Shape<T> = Readonly<Record<keyof T, z.ZodType>>;

/** How a pull ended, as `status` shows it. */
export const pullResult = z.object({
  ok: z.boolean(),
  exitCode,
  code: code.optional().describe('absent when all is well'),
  message: text.optional(),
  destination: absolutePath,
  treeDigest: digest.optional(),
  omsDigest: digest.nullable().optional(),
  files: count,
  bytes: count,
  filesFetched: count,
  bytesFetched: count,
  filesKept: count,
  filesStale: count,
  filesSkipped: count,
  specials: specials.optional(),
  levels,
  failures: z.array(failure).describe('the first ones; filesFailed counts all'),
  filesFailed: count,
  warnings: z.array(text),
} satisfies Shape<PullResult>);

/** The last line of any command that failed with `--json`. */
export const failed = z
  .object({
    v: z.literal(1),
    type: z.literal('result'),
    time,
    pullId: textOrNull,
    ok: z.literal(false),
    exitCode,
    code,
    message: text,
    destination: textOrNull,
    treeDigest: z.null(),
    failures: z.array(failure),
  })
  .describe('the command failed, or its arguments were wrong');
