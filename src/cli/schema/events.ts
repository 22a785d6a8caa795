/** The lines of `waybill pull --json` and `waybill watch --json`. */
import * as z from 'zod';
import type { InFlight } from '../../model/pull.js';
import type { PullEvent, ResultEvent } from '../events.js';
import {
  absolutePath,
  code,
  count,
  digest,
  exitCode,
  failure,
  phase,
  pullResult,
  text,
  textOrNull,
  time,
  type Shape,
} from './parts.js';

type EventOf<Type extends PullEvent['type']> = Omit<Extract<PullEvent, { type: Type }>, 'type'>;

/** One line: what every event has, and its own. */
function event<Type extends string, T extends Readonly<Record<string, z.ZodType>>>(
  type: Type,
  own: T,
): z.ZodObject {
  return z.object({
    v: z.literal(1),
    type: z.literal(type),
    time,
    pullId: textOrNull.describe('null before the pull has an id'),
    ...own,
  });
}

const inFlight = z.object({
  name: text,
  bytesDone: count,
  bytesTotal: count.describe('0: not known'),
} satisfies Shape<Pick<InFlight, 'name' | 'bytesDone' | 'bytesTotal'>>);

const progress = {
  phase,
  filesPlanned: count,
  bytesPlanned: count,
  isPlanComplete: z.boolean().describe('whether the two before are final'),
  filesDone: count,
  bytesDone: count,
  filesKept: count.describe('of the files done: those that were in place already'),
  filesFailed: count,
  retries: count,
  bytesPerSecond: count.nullable(),
  inFlight: z.array(inFlight),
} satisfies Shape<EventOf<'progress'>>;

/** Of a dry run. */
const planned = {
  path: text,
  verdict: z.enum(['fetch', 'keep', 'skip', 'conflict', 'refused']),
  reason: text,
  sizeBytes: count.nullable(),
};

const dryRunFields = {
  isDryRun: z.literal(true).optional().describe('nothing was written'),
  files: z
    .union([count, z.record(z.enum(['fetch', 'keep', 'skip', 'conflict', 'refused']), count)])
    .optional()
    .describe('of a dry run: how many files of each verdict'),
};

const { files: _files, ...rest } = pullResult.shape;
const optional = Object.fromEntries(
  Object.entries(rest).map(([name, schema]) => [name, schema.optional()]),
);

/** The last line, always: of a pull that ended, was left, failed to start, or of a dry run. */
const result = event('result', {
  ...optional,
  ok: z.boolean(),
  exitCode,
  code: code.nullable().describe('null when all is well'),
  message: textOrNull,
  destination: absolutePath.nullable(),
  treeDigest: digest.nullable(),
  failures: z.array(failure).describe('the first ones; filesFailed counts all'),
  ...dryRunFields,
} satisfies Partial<Record<keyof ResultEvent, z.ZodType>>);

export const events = z.union([
  event('started', {
    source: text.describe('without secrets'),
    destination: absolutePath,
    joined: z.boolean().describe('an equal pull was running already'),
    temporal: text,
  } satisfies Shape<EventOf<'started'>>),
  event('phase', { phase, reason: textOrNull } satisfies Shape<EventOf<'phase'>>),
  event('progress', progress).describe('about once a second; counts never go back'),
  event('retry', {
    name: text,
    attempt: count.min(2),
    reason: textOrNull,
  } satisfies Shape<EventOf<'retry'>>),
  event('failure', failure.shape),
  event('remark', { text } satisfies Shape<EventOf<'remark'>>),
  event('planned', planned).describe('only with --dry-run'),
  result,
]);
