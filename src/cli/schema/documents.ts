/** What `--json` prints of the commands beside `pull` and `watch`: one document, or one line a thing. */
import * as z from 'zod';
import type { SiteTable } from '../../config/toml-file.js';
import type { CatalogueLine } from '../../stores/store.js';
import type { Finding, VerifyReport } from '../../transfer/verify.js';
import type { SealReport } from '../../transfer/seal-tree.js';
import type { DoctorCheck, DoctorReport } from '../../service/doctor.js';
import type { SetupReport } from '../../service/setup.js';
import type { PullSummary } from '../../client.js';
import { LEVELS } from '../../model/level.js';
import { SPECIAL_KINDS } from '../../model/special.js';
import type {
  Concurrency,
  InFlight,
  PullLimits,
  PullProgress,
  PullStatus,
} from '../../model/pull.js';
import {
  absolutePath,
  code,
  count,
  digest,
  exitCode,
  failed,
  failure,
  phase,
  pullResult,
  state,
  text,
  textOrNull,
  time,
  type Shape,
} from './parts.js';

/** What the last line of a command has that came to its end. */
const done = {
  type: z.literal('result'),
  ok: z.literal(true),
  exitCode: z.literal(0),
  code: z.null(),
};

const temporal = z.object({
  kind: z.enum(['local', 'cluster']),
  mode: z.enum(['background', 'inline']).optional(),
  address: text.optional(),
  namespace: text.optional(),
  why: text.describe('what chose it'),
});

const entry = z
  .object({
    path: text,
    kind: z.enum(['file', 'directory', 'special']),
    special: z
      .enum(SPECIAL_KINDS)
      .optional()
      .describe('of kind `special`: what it is; a pull leaves it out'),
    sizeBytes: count.nullable().describe('null: not known'),
    modifiedAt: textOrNull.describe('ISO 8601, UTC; null: not known'),
    digests: z.record(text, text).describe('checksums that lie with the source, by their name'),
  })
  .describe('of a tree: one line an entry');
const catalogueLine = z
  .object({ uri: text, kind: text, note: text } satisfies Shape<CatalogueLine>)
  .describe('of a registry: one line a model, an alias, a run or an experiment');

const differences = { changed: count, missing: count, extra: count, stale: count };
const findingFields = {
  kind: z.enum(['changed', 'missing', 'extra', 'stale']),
  path: text,
  why: text,
} satisfies Shape<Finding>;
const verified = z
  .object({
    type: z.literal('result'),
    exitCode,
    destination: absolutePath,
    kind: z.enum(['tree', 'file']),
    state: z.enum(['complete', 'partial', 'sealed']),
    isQuick: z.boolean().describe('sizes were compared, nothing was hashed'),
    ok: z.boolean(),
    code: code.nullable(),
    message: textOrNull,
    files: count,
    bytesHashed: count,
    counts: z.object(differences),
    findings: z.array(z.object(findingFields)).describe('the first 1,000 of each kind'),
    recordProblems: z.array(text),
    source: text.optional().describe('absent for a tree that was sealed here'),
    treeDigest: digest,
    failed: z.array(text).describe('paths that a partial pull could not bring'),
  } satisfies Shape<VerifyReport & { type: string; exitCode: number; message: null }>)
  .describe('the last line');

const sealed = z.object({
  ...done,
  directory: absolutePath,
  files: count,
  bytes: count,
  treeDigest: digest,
  omsDigest: digest.nullable(),
  wasSealed: z.boolean().describe('sealed already and unchanged: nothing was written'),
  skipped: z.array(text),
} satisfies Shape<SealReport & typeof done>);

const summary = z.object({
  pullId: text,
  runId: text,
  state,
  source: text,
  destination: text,
  startedAt: time,
  endedAt: time.optional(),
} satisfies Shape<PullSummary>);

const limits = z
  .object({
    concurrency: count.optional(),
    maxBytesPerSecond: z.number().nullable().optional(),
    maxRequestsPerSecond: z.number().nullable().optional(),
    giveUpAfterMs: z.number().nullable().optional(),
  } satisfies Shape<PullLimits>)
  .describe('how fast it may go; null: no limit');

const status = z
  .object({
    ...done,
    pullId: text,
    runId: text,
    state,
    source: text,
    destination: text,
    progress: z.object({
      phase,
      reason: text.optional(),
      filesPlanned: count,
      bytesPlanned: count,
      isPlanComplete: z.boolean(),
      filesDone: count,
      bytesDone: count,
      filesKept: count,
      filesFailed: count,
      failures: z.array(failure),
      retries: count,
      startedAt: text,
      limits: limits.optional(),
    } satisfies Shape<PullProgress>),
    inFlight: z.array(
      z.object({
        name: text,
        bytesDone: count,
        bytesTotal: count,
        attempt: count.min(1),
        lastFailure: text.optional(),
      } satisfies Shape<InFlight>),
    ),
    concurrency: z
      .array(
        z.object({
          worker: text,
          connections: count.describe('that it may have at the source now'),
          decisions: z.array(z.object({ time, text })),
        } satisfies Shape<Concurrency>),
      )
      .optional()
      .describe('what each worker has found the source to be worth, with its last decisions'),
    result: pullResult.optional().describe('once it has ended'),
  } satisfies Shape<PullStatus & typeof done>)
  .describe('from Temporal');
const forgotten = z
  .object({
    ...done,
    state: z.enum(['unknown', 'done', 'failed']),
    source: text,
    destination: absolutePath,
    result: pullResult.optional(),
    from: z.literal('record'),
  })
  .describe("from the destination's own record, when Temporal has forgotten the pull");

const setup = z.object({
  ...done,
  temporalCli: z.object({
    path: absolutePath,
    version: text,
    serverVersion: text,
    origin: text,
  }),
  stateDir: absolutePath,
  cacheDir: absolutePath,
} satisfies Shape<SetupReport & typeof done>);

const doctor = z.object({
  type: z.literal('result'),
  ok: z.boolean(),
  exitCode,
  code: z.null().describe('the findings say what is wrong'),
  checks: z.array(
    z.object({
      name: text.describe('stable'),
      result: z.enum(['ok', 'warning', 'problem']),
      finding: text,
      remedy: text
        .optional()
        .describe('a command that mends it, as it is; absent: the finding says what a person does'),
    } satisfies Shape<DoctorCheck>),
  ),
  addresses: z.object({ temporal: text.optional(), ui: text.optional() }),
  processes: z.object({
    service: count.optional(),
    temporal: count.optional(),
    worker: count.optional(),
  }),
  temporal,
  stateDir: absolutePath,
  cacheDir: absolutePath,
} satisfies Shape<
  DoctorReport & {
    type: string;
    exitCode: number;
    code: null;
    temporal: unknown;
    stateDir: string;
    cacheDir: string;
  }
>);

const config = z.object({
  ...done,
  settings: z.array(
    z.object({
      name: text,
      value: textOrNull.describe('as it was written, without secrets; null: not set'),
      origin: text.describe('--flag, WAYBILL_VARIABLE, a file, `default` or `not set`'),
    }),
  ),
  stateDir: absolutePath,
  cacheDir: absolutePath,
  temporal,
  files: z.array(absolutePath).describe('configuration files that were read, the stronger first'),
  connections: z.array(
    z.object({
      name: text,
      type: text,
      url: textOrNull,
      match: z.array(text),
      keys: z.record(text, text).describe('every other key; `***` where it may hold a secret'),
      file: absolutePath,
    }),
  ),
  sites: z.array(
    z.object({
      name: text,
      roots: z.array(absolutePath),
      sourceRoots: z.array(absolutePath),
      maxBytesPerSecond: z.number().optional(),
      maxRequestsPerSecond: z.number().optional(),
      file: absolutePath,
    } satisfies Shape<SiteTable>),
  ),
});

const stores = z.object({
  ...done,
  stores: z.array(
    z.object({
      name: text,
      schemes: z.array(text),
      summary: text,
      forms: z.array(text),
      auth: z.array(text).describe('how its users can sign in'),
      ranges: text.describe('whether parts of a file can be asked for'),
      pin: text.describe('how a version is recognised again'),
      digests: z.array(text).describe('what objects can carry'),
      levels: z
        .object({ weakest: z.enum(LEVELS), strongest: z.enum(LEVELS) })
        .describe('what a file reaches with nothing but what the store itself says'),
      environment: z.array(text).describe('the variables that it reads'),
    }),
  ),
});

/** The last line of a command that has no more to say than how it ended. */
const ended = z.object({
  type: z.literal('result'),
  ok: z.boolean(),
  exitCode,
  code: code.nullable(),
});

/** What `--help` and `--version` print with `--json`; of every command. */
export const shown = z.object({ ...done, text }).describe('of --help and --version');

/** The schema of each document by the name of its file. A command that fails prints `failed` instead, or last. */
export const documents = {
  ls: z.union([entry, catalogueLine, z.object(done), failed]),
  verify: z.union([z.object({ type: z.literal('finding'), ...findingFields }), verified, failed]),
  seal: z.union([sealed, failed]),
  pulls: z.union([z.object({ ...done, pulls: z.array(summary) }), failed]),
  status: z.union([status, forgotten, failed]),
  steer: z.union([
    z.object({
      ...done,
      pullId: text,
      destination: text,
      did: z.enum(['pause', 'resume', 'cancel', 'retry', 'tune']),
      limits: limits.optional().describe('of tune'),
    }),
    failed,
  ]),
  up: z.union([
    z.object({
      ...done,
      address: text,
      uiAddress: text,
      isStarted: z.boolean().describe('false: it ran already'),
      stateDir: absolutePath,
    }),
    failed,
  ]),
  down: z.union([z.object({ ...done, wasRunning: z.boolean() }), failed]),
  setup: z.union([setup, failed]),
  doctor: z.union([doctor, failed]),
  worker: z.union([
    z
      .object({ type: z.literal('serving'), address: text, site: textOrNull })
      .describe('the first line'),
    ended,
    failed,
  ]),
  'codec-server': z.union([
    z
      .object({ type: z.literal('serving'), address: text, site: textOrNull })
      .describe('the first line'),
    ended,
    failed,
  ]),
  stores: z.union([stores, failed]),
  'config-show': z.union([config, failed]),
  completion: z.union([
    z.object({ ...done, shell: z.enum(['bash', 'zsh', 'fish']), script: text }),
    failed,
  ]),
  demo: z.union([
    z.object({ type: z.literal('proof'), text }).describe('one line a scene'),
    ended,
    failed,
  ]),
} as const satisfies Readonly<Record<string, z.ZodUnion>>;
