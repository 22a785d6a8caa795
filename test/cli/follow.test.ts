import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { followPull } from '../../src/cli/follow.js';
import { OFTEN } from '../../src/cli/reporters/reporter.js';
import type { Output } from '../../src/cli/output.js';
import { PlainReporter } from '../../src/cli/reporters/plain.js';
import type { Session } from '../../src/cli/session.js';
import { emptyProgress } from '../../src/client/ratchet.js';
import type { WatchOptions } from '../../src/client/types.js';
import { watchStatus } from '../../src/client/watch.js';
import { WaybillError } from '../../src/model/errors.js';
import type { PullStatus } from '../../src/model/pull.js';
import { mountTmpfs } from '../helpers/mount.js';

const RESULT = { ok: true, exitCode: 0 } as NonNullable<PullStatus['result']>;

const waiting = {
  pullId: 'p',
  runId: 'r',
  state: 'running',
  progress: { ...emptyProgress('2026-01-01T00:00:00.000Z'), filesDone: 1 },
  inFlight: [],
} as unknown as PullStatus;

afterEach(() => {
  jest.restoreAllMocks();
});

/** A pull that waits for an hour by the clock of the command, and is done then. */
function waitAnHour(
  isWorkerUp: () => Promise<boolean>,
  replaceIfStuck = (): Promise<boolean> => Promise.resolve(false),
  more: { stateFolder?: string; update?: (status: PullStatus) => void } = {},
): ReturnType<typeof followPull> {
  let now = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => now);
  async function* looks(): AsyncGenerator<PullStatus> {
    for (let minute = 0; minute < 60; minute += 1) {
      await Promise.resolve();
      now += 60_000;
      yield waiting;
    }
    yield { ...waiting, state: 'done', result: RESULT };
  }
  const client = {
    watch: looks,
    result: () => new Promise(() => undefined),
    replaceIfStuck,
    isServed: () => Promise.resolve(false),
  };
  const lost = new Promise<void>(() => undefined);
  const { stateFolder, update = (): void => undefined } = more;
  const session = { client, isLocal: true, isWorkerUp, lost, stateFolder } as unknown as Session;
  return followPull({
    pullId: 'p',
    session,
    reporter: { looks: OFTEN, update, remark: () => undefined } as never,
    signal: new AbortController().signal,
    reopen: () => Promise.reject(new Error('not here')),
    restart: () => Promise.reject(new Error('not here')),
  });
}

describe('a command that waits for the local worker', () => {
  it('stays as long as the service says that it is up', async () => {
    expect((await waitAnHour(() => Promise.resolve(true))).result).toBe(RESULT);
  });

  it('ends with 10 where it does not come up, or nobody can say', async () => {
    const expected = { code: 'WB_NO_WORKER' };
    await expect(waitAnHour(() => Promise.resolve(false))).rejects.toMatchObject(expected);
    const gone = (): Promise<boolean> => Promise.reject(new Error('no answer'));
    await expect(waitAnHour(gone)).rejects.toMatchObject(expected);
  });
});

describe('a command that tells of nothing before the end', () => {
  it('hears of the end of its run, and has not looked by then', async () => {
    const asked: unknown[] = [];
    const client = {
      watch: (_pullId: string, options: WatchOptions) =>
        watchStatus(() => {
          asked.push('a look');
          return Promise.reject(new Error('looked'));
        }, options),
      result: (...args: unknown[]) => {
        asked.push(args);
        return Promise.resolve(RESULT);
      },
    };
    const lost = new Promise<void>(() => undefined);
    const output = { isQuiet: true } as unknown as Output;
    const run = { runId: 'r', destination: '/d' };
    const { result } = await followPull({
      pullId: 'p',
      run,
      session: { client, isLocal: true, lost } as unknown as Session,
      reporter: new PlainReporter(output, 'source'),
      signal: new AbortController().signal,
      reopen: () => Promise.reject(new Error('not here')),
      restart: () => Promise.reject(new Error('not here')),
    });
    expect(result).toBe(RESULT);
    expect(asked).toEqual([['p', run]]);
  });
});

describe('a command whose Temporal is away', () => {
  it('leaves it to the watch for how long, and blames no worker', async () => {
    const away = new WaybillError('WB_TEMPORAL_UNREACHABLE', 'cannot look at the pull');
    const ended = waitAnHour(
      () => Promise.resolve(false),
      () => Promise.reject(away),
    );
    expect((await ended).result).toBe(RESULT);
  });
});

describe('a command whose local service has a full disk', () => {
  it('says so while nothing goes on', async () => {
    const disk = mountTmpfs({ sizeBytes: 1024 * 1024 });
    try {
      const reasons = new Set<string | undefined>();
      await waitAnHour(() => Promise.resolve(true), undefined, {
        stateFolder: disk.path,
        update: ({ progress }) => reasons.add(progress.reason),
      });
      const why = `no space is left in ${disk.path}, where the local service keeps its database`;
      expect(reasons).toContain(why);
    } finally {
      disk.unmount();
    }
  });
});
