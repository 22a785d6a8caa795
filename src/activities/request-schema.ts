/** The request as it comes out of Temporal: checked strictly, because a field that is not known is not ignored (rule 9). */
import { z } from 'zod';
import { WaybillError } from '../model/errors.js';
import { LEVELS } from '../model/level.js';
import { IF_EXISTS, PROTOCOL, type PullRequest } from '../model/pull.js';

const words = z.array(z.string()).readonly();

const requestSchema = z.strictObject({
  protocol: z.literal(PROTOCOL),
  source: z.strictObject({
    uri: z.string().min(1),
    settings: z.record(z.string(), z.string()).readonly(),
    credentials: z.string().exactOptional(),
    connection: z.string().exactOptional(),
  }),
  destination: z.strictObject({ path: z.string().startsWith('/'), isFolder: z.boolean() }),
  filters: z.strictObject({ include: words, exclude: words, files: words.exactOptional() }),
  ifExists: z.enum(IF_EXISTS),
  requireLevel: z.enum(LEVELS),
  expect: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('digest'), sha256: z.string() }),
      z.strictObject({ kind: z.literal('list'), location: z.string() }),
    ])
    .exactOptional(),
  checksum: z.boolean(),
  prune: z.boolean(),
  reread: z.boolean(),
  replaceSource: z.boolean(),
  acceptUnprovenLength: z.boolean(),
  takeOver: z.boolean(),
  concurrency: z.number().int().positive().exactOptional(),
  giveUpAfterMs: z.number().nonnegative().exactOptional(),
  timeoutMs: z.number().nonnegative().exactOptional(),
  maxFiles: z.number().nonnegative().exactOptional(),
  maxBytes: z.number().nonnegative().exactOptional(),
});

/** The request behind an unknown value. Throws WB_VERSION_SKEW naming the field. */
export function parseRequest(value: unknown): PullRequest {
  const parsed = requestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined ? '' : ` (${issue.path.join('.')}: ${issue.message})`;
  throw new WaybillError(
    'WB_VERSION_SKEW',
    `the worker does not understand the request${where}; it may be of another version of Waybill`,
    { operation: 'resolve' },
  );
}
