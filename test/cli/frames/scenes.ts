/** Recorded looks at pulls: what the picture of a terminal is made from. */
import { addStatus, emptyView, type View } from '../../../src/cli/progress/view.js';
import type { InFlight, Phase, PullProgress, PullStatus } from '../../../src/model/pull.js';

const GB = 1_000_000_000;
const MB = 1_000_000;

export function statusOf(
  phase: Phase,
  more: Partial<PullProgress> = {},
  inFlight: readonly InFlight[] = [],
): PullStatus {
  return {
    pullId: 'llama-3f9a',
    runId: 'r',
    state: 'running',
    source: 'models:/llama@champion',
    destination: '/data/llama',
    inFlight,
    progress: {
      phase,
      filesPlanned: 412,
      bytesPlanned: 624 * GB,
      isPlanComplete: true,
      filesDone: 210,
      bytesDone: 312 * GB,
      filesKept: 12,
      filesFailed: 0,
      failures: [],
      retries: 0,
      startedAt: '2026-01-01T00:00:00.000Z',
      ...more,
    },
  };
}

function file(name: string, done: number, total: number, lastFailure?: string): InFlight {
  const again = lastFailure === undefined ? { attempt: 1 } : { attempt: 4, lastFailure };
  return { name, bytesDone: done, bytesTotal: total, ...again };
}

const shard = (number: number): string =>
  `model/weights/shard-${String(number).padStart(5, '0')}-of-00412.safetensors`;

const FLYING: readonly InFlight[] = [
  file(shard(211), 1.2 * GB, 4 * GB),
  file(shard(212), 3.9 * GB, 4 * GB),
  file('tokenizer.json', 1 * MB, 9 * MB),
];

/** Ten units in trouble at once, each for its own reason. */
const RETRIES: readonly InFlight[] = Array.from({ length: 10 }, (_, index) =>
  file(
    shard(300 + index),
    index * 100 * MB,
    4 * GB,
    index % 2 === 0
      ? 'connection reset by peer'
      : `HTTP 503 from https://mlflow.example.org/api/2.0/mlflow-artifacts/artifacts/${shard(300 + index)}`,
  ),
);

const NAMES: readonly InFlight[] = [
  file('模型/权重/非常长的文件名用来测试宽字符在终端中的宽度.safetensors', 1 * GB, 4 * GB),
  file('👩‍🚀🚀/🏳️‍🌈-emoji-that-are-joined.bin', 1 * GB, 4 * GB),
  file('مجلد/נתונים/קובץ-ארוך.bin', 2 * GB, 4 * GB),
  file('evil\u001b[2J\u0007\r\n\u202egnp.exe', 2 * GB, 4 * GB),
  file(`${'deep/'.repeat(40)}e\u0301.bin`, 3 * GB, 4 * GB, 'read\tECONNRESET'),
];

/** Two looks, two seconds apart. */
function moving(phase: Phase, more: Partial<PullProgress>, inFlight: readonly InFlight[]): View {
  const after = statusOf(phase, more, inFlight);
  const { bytesDone } = after.progress;
  const before = statusOf(phase, { ...more, bytesDone: bytesDone - 224 * MB }, inFlight);
  return addStatus(addStatus(start(), before, 0), after, 2_000);
}

const HINT = 'Ctrl-C pauses it, d sends it to the background';
const start = (): View => ({ ...emptyView('models:/llama@champion'), hint: HINT });
const still = (
  phase: Phase,
  more: Partial<PullProgress> = {},
  inFlight: readonly InFlight[] = [],
): View => addStatus(start(), statusOf(phase, more, inFlight), 0);

const NOTHING = { filesPlanned: 0, bytesPlanned: 0, filesDone: 0, bytesDone: 0, filesKept: 0 };
const PLANNING = { ...NOTHING, isPlanComplete: false };
const FULL = 'disk full: /data has 12 MB free, and what is left of the pull needs 312 GB';
const SIGN_IN =
  'the sign-in has expired: HTTP 401 from https://mlflow.example.org; set MLFLOW_TRACKING_TOKEN and run the same command again';

/** Each scene with the moment at which it is drawn. */
export const SCENES: readonly (readonly [name: string, view: View, nowMs: number])[] = [
  ['starting', { ...start(), prelude: 'starting the local service' }, 0],
  ['resolving', still('resolving', PLANNING), 0],
  [
    'resolving, tried again',
    still('resolving', PLANNING, [
      file('resolveSource', 0, 0, 'connect ECONNREFUSED 10.0.0.7:5000'),
    ]),
    0,
  ],
  ['listing', still('listing', { ...PLANNING, filesPlanned: 81_000, bytesPlanned: 96 * GB }), 0],
  ['fetching', moving('fetching', {}, FLYING), 2_000],
  ['fetching, ten retries', moving('fetching', { retries: 31, filesFailed: 2 }, RETRIES), 2_000],
  ['fetching, still listing', moving('fetching', { isPlanComplete: false }, FLYING), 2_000],
  [
    'fetching, sizes unknown',
    moving('fetching', { bytesPlanned: 0 }, [file('export.csv', 70 * MB, 0)]),
    2_000,
  ],
  ['fetching, nothing moves', moving('fetching', {}, FLYING), 27_000],
  ['fetching, names', moving('fetching', { retries: 3 }, NAMES), 2_000],
  [
    're-checking after a reboot',
    moving('re-checking', { filesDone: 0 }, FLYING.slice(0, 2)),
    2_000,
  ],
  [
    'waiting for a worker',
    still('waiting for a worker', { reason: 'no worker takes the work' }),
    0,
  ],
  ['blocked, disk full', still('blocked', { reason: FULL }), 0],
  ['blocked, sign-in', still('blocked', { reason: SIGN_IN, retries: 4 }), 0],
  ['paused', still('paused'), 0],
  ['sealing', still('sealing', { filesDone: 412, bytesDone: 624 * GB }), 0],
];
