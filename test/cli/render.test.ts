import { describe, expect, it } from '@jest/globals';
import type { InFlight, Phase, PullProgress, PullStatus } from '../../src/model/pull.js';
import { render } from '../../src/cli/progress/render.js';
import { addStatus, emptyView, type View } from '../../src/cli/progress/view.js';
import { neverBack } from '../../src/cli/follow.js';
import { widthOf } from '../../src/cli/progress/spans.js';

const GB = 1_000_000_000;

function statusOf(
  phase: Phase,
  more: Partial<PullProgress> = {},
  inFlight: readonly InFlight[] = [],
): PullStatus {
  return {
    pullId: 'churn-1',
    runId: 'r',
    state: 'running',
    source: 'models:/churn@champion',
    destination: '/data/churn',
    inFlight,
    progress: {
      phase,
      filesPlanned: 412,
      bytesPlanned: 8.1 * GB,
      isPlanComplete: true,
      filesDone: 210,
      bytesDone: 4.2 * GB,
      filesKept: 12,
      filesFailed: 1,
      failures: [],
      retries: 3,
      startedAt: '2026-01-01T00:00:00.000Z',
      ...more,
    },
  };
}

const FLYING: readonly InFlight[] = [
  {
    name: 'model/weights-00001-of-00030.safetensors',
    bytesDone: 1.2 * GB,
    bytesTotal: 4 * GB,
    attempt: 1,
  },
  {
    name: 'model/a/very/deep/folder/structure/with/weights-00002-of-00030.safetensors',
    bytesDone: 0.2 * GB,
    bytesTotal: 4 * GB,
    attempt: 2,
    lastFailure: 'connection reset by peer',
  },
];

/** Two looks two seconds apart: 112 MB/s. */
function fetching(): View {
  const first = addStatus(
    emptyView('models:/churn@champion'),
    statusOf('fetching', { bytesDone: 4.2 * GB - 224_000_000 }, FLYING),
    0,
  );
  return addStatus(first, statusOf('fetching', {}, FLYING), 2_000);
}

function standing(phase: Phase, more: Partial<PullProgress> = {}): View {
  return addStatus(emptyView('models:/churn@champion'), statusOf(phase, more), 0);
}

describe('the picture of a running pull', () => {
  it('shows bytes, rate, time left, files and what is in flight at 80 columns', () => {
    expect(render(fetching(), 80, 2_000)).toEqual([
      'fetching  ━━━━━━━━━━━━━━━━━━━━────────────────────  51 %',
      '4.2 GB of 8.1 GB, 112 MB/s, 35 s left',
      '210 of 412 files, 1 failed, 12 already here, 3 retries',
      '  …with/weights-00002-of-00030.safetensors    5 %  try 2: connection reset by p…',
      '  model/weights-00001-of-00030.safetensors   30 % of 4.0 GB',
    ]);
  });

  it('leaves out what matters least at 40 columns', () => {
    expect(render(fetching(), 40, 2_000)).toEqual([
      'fetching  ━━━━━━━━━━━━────────────  51 %',
      '4.2 GB of 8.1 GB, 112 MB/s, 35 s left',
      '210 of 412 files, 1 failed',
      '  …f-00030.safetensors    5 %  try 2: c…',
      '  …f-00030.safetensors   30 % of 4.0 GB',
    ]);
  });

  it('does not spread thin at 120 columns', () => {
    expect(render(fetching(), 120, 2_000)).toEqual([
      'fetching  ━━━━━━━━━━━━━━━━━━━━────────────────────  51 %',
      '4.2 GB of 8.1 GB, 112 MB/s, 35 s left',
      '210 of 412 files, 1 failed, 12 already here, 3 retries',
      '  …ure/with/weights-00002-of-00030.safetensors    5 %  try 2: connection reset by peer',
      '  model/weights-00001-of-00030.safetensors       30 % of 4.0 GB',
    ]);
  });

  it('names every phase', () => {
    const shown = (view: View): string[] => render(view, 60, 0);
    expect(shown(standing('resolving'))).toEqual(['⠋ resolving models:/churn@champion']);
    expect(shown(standing('listing'))).toEqual(['⠋ listing: 412 files, 8.1 GB so far']);
    expect(shown(standing('re-checking'))[0]).toBe(
      're-checking what is on disk  ━━━━━━━━━━━━─────────────  51 %',
    );
    expect(shown(standing('sealing'))).toEqual(['⠋ sealing: 210 files, 4.2 GB']);
    expect(shown(standing('paused'))).toEqual(['paused', 'It goes on with: waybill resume']);
    expect(shown(standing('waiting for a worker', { reason: 'no worker answers' }))).toEqual([
      '⠋ waiting for a worker: no worker answers',
    ]);
  });

  it('says why it is blocked and what helps', () => {
    const reason = 'disk full: /data has 12 MB free, the rest of the pull needs 3.9 GB';
    expect(render(standing('blocked', { reason }), 60, 0)).toEqual([
      'blocked: disk full: /data has 12 MB free, the rest of the',
      'pull needs 3.9 GB',
      'It tries again by itself; at once with: waybill retry',
      '210 of 412 files, 1 failed, 12 already here, 3 retries',
    ]);
  });

  it('promises no end while the listing goes on or the sizes are unknown', () => {
    expect(render(standing('fetching', { isPlanComplete: false }), 80, 0).slice(0, 2)).toEqual([
      '⠋ fetching',
      '4.2 GB of 8.1 GB so far, still listing',
    ]);
    expect(render(standing('fetching', { bytesPlanned: 0 }), 80, 0).slice(0, 2)).toEqual([
      'fetching  ━━━━━━━━━━━━━━━━━━━━────────────────────  50 %',
      '4.2 GB, the source does not say how much there is',
    ]);
  });

  it('shows 100 % only when nothing is left', () => {
    const [line] = render(standing('fetching', { bytesDone: 8.1 * GB - 1 }), 80, 0);
    expect(line).toContain('99 %');
  });

  it('draws with ASCII where the locale is not UTF-8', () => {
    const [line] = render(fetching(), 80, 2_000, false);
    expect(line).toBe('fetching  ####################....................  51 %');
  });

  it('never writes a control character of a hostile name, and never over the edge', () => {
    const name = `evil\u001b[2J\u0007\r\n\u202etxt.exe ${'長'.repeat(80)}`;
    const flying = [
      { name, bytesDone: 0, bytesTotal: 10, attempt: 2, lastFailure: '\u001b]0;x\u0007' },
    ];
    const view = addStatus(emptyView('s3://b/\u001b[31m'), statusOf('fetching', {}, flying), 0);
    for (const columns of [20, 33, 40, 80, 120]) {
      for (const line of render(view, columns, 0)) {
        expect(Array.from(line).every((character) => character >= ' ')).toBe(true);
        expect(line).not.toContain('\u202e');
        expect(widthOf(line)).toBeLessThanOrEqual(columns);
      }
    }
  });
});

describe('rate and time left', () => {
  it('rule 34: come from the monotonic clock that is handed in, over the last ten seconds', () => {
    let view = emptyView('x');
    for (let second = 0; second <= 30; second += 1) {
      const bytesDone = second < 15 ? 0 : (second - 15) * 100_000_000;
      view = addStatus(view, statusOf('fetching', { bytesDone }), second * 1_000);
    }
    expect(render(view, 80, 30_000)[1]).toMatch(/, 100 MB\/s, 1 min 06 s left$/);
  });

  it('rest on counts that never go back, also after the service was started again', () => {
    const before = statusOf('fetching', { bytesDone: 4 * GB, filesDone: 200 });
    const after = neverBack(before, statusOf('fetching', { bytesDone: 3, filesDone: 201 }));
    expect(after.progress).toMatchObject({ bytesDone: 4 * GB, filesDone: 201 });
    const other = { ...before, runId: 'another run' };
    expect(neverBack(other, statusOf('fetching', { bytesDone: 3 })).progress.bytesDone).toBe(3);
  });

  it('do not count what was found in place while listing', () => {
    let view = addStatus(emptyView('x'), statusOf('listing', { bytesDone: 0 }), 0);
    view = addStatus(view, statusOf('fetching', { bytesDone: 4 * GB }), 1_000);
    view = addStatus(view, statusOf('fetching', { bytesDone: 4 * GB + 10_000_000 }), 2_000);
    expect(render(view, 80, 2_000)[1]).toContain('10 MB/s');
  });
});
