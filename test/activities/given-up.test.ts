import { describe, expect, it } from '@jest/globals';
import { GivenUp, type Patience } from '../../src/activities/given-up.js';
import type { Mount } from '../../src/model/mount-table.js';
import type { PullRef, ShareWatch } from '../../src/transfer/api.js';

const NAS: Mount = { point: '/mnt/nas', type: 'nfs4', source: 'nas:/models' };
/** What is not to happen would take for ever. */
const SHORT: Patience = { endsMs: 10, longestMs: 20, beforeMs: 10 };
const ref: PullRef = {
  pullId: 'p',
  runId: 'r',
  recordDir: '/mnt/nas/model/.waybill',
  destinationId: 'd',
  epoch: 1,
};
const elsewhere: PullRef = { ...ref, recordDir: '/data/other/.waybill' };

interface Bed {
  readonly givenUp: GivenUp;
  isHanging: boolean;
}

/** The share is the source, or the destination, of every pull but those to /data. */
function bedOf(side: 'source' | 'destination' | undefined): Bed {
  const watch: ShareWatch = {
    of: ({ ref: asked }) =>
      Promise.resolve(
        side === undefined || asked?.recordDir.startsWith('/data') ? {} : { [side]: NAS },
      ),
    answers: () => Promise.resolve(!bed.isHanging),
  };
  const bed = { givenUp: new GivenUp(watch, SHORT), isHanging: true };
  return bed;
}

/** Work that ends when it is told to, whatever the signal says. */
function stubborn(): { readonly running: Promise<string>; end: () => void } {
  let end = (): void => undefined;
  const running = new Promise<string>((resolve) => {
    end = () => resolve('done');
  });
  return { running, end };
}

const ABORTED = AbortSignal.abort();

async function leave({ givenUp }: Bed, running: Promise<string>): Promise<unknown> {
  let isLeft = false;
  const error: unknown = await givenUp
    .follow(running, { ref }, ABORTED, () => (isLeft = true))
    .catch((reason: unknown) => reason);
  expect(isLeft).toBe(true);
  return error;
}

describe('work that a share keeps waiting', () => {
  it('rule 27: is left behind once it was asked to end, with the share that hangs as the reason', async () => {
    expect(await leave(bedOf('source'), stubborn().running)).toMatchObject({
      code: 'WB_TIMEOUT',
      scope: 'source',
      message: expect.stringContaining('the share nas:/models (nfs4) at /mnt/nas does not answer'),
    });
    expect(await leave(bedOf('destination'), stubborn().running)).toMatchObject({
      code: 'WB_DESTINATION_FAILED',
      scope: 'destination',
    });
  });

  it('rule 13: is not begun again before it has come back', async () => {
    const bed = bedOf('destination');
    const { running, end } = stubborn();
    await leave(bed, running);
    const refused = { code: 'WB_DESTINATION_FAILED' };
    await expect(bed.givenUp.refuse({ ref })).rejects.toMatchObject(refused);
    // The share answers again, and the call is still on its way: it may write yet.
    bed.isHanging = false;
    await expect(bed.givenUp.refuse({ ref })).rejects.toMatchObject(refused);
    end();
    await bed.givenUp.refuse({ ref });
  });

  it('rule 27: keeps nobody waiting who does without the share', async () => {
    const bed = bedOf('source');
    await leave(bed, stubborn().running);
    await bed.givenUp.refuse({ ref: elsewhere });
    await bed.givenUp.refuse({ ref, onlyDestination: true });
    await expect(bed.givenUp.refuse({ ref })).rejects.toMatchObject({ code: 'WB_TIMEOUT' });
    // What only reads goes on although one call was lost for ever.
    bed.isHanging = false;
    await bed.givenUp.refuse({ ref });
  });

  it('rule 13: of which nobody knows what it waits for keeps its own pull, and no other', async () => {
    const bed = bedOf(undefined);
    const error = await leave(bed, stubborn().running);
    expect(error).toMatchObject({ code: 'WB_DESTINATION_FAILED' });
    await expect(bed.givenUp.refuse({ ref, onlyDestination: true })).rejects.toThrow(/come back/u);
    await bed.givenUp.refuse({ ref: elsewhere });
  });
});

it('work that ends is followed to its end, and its own failure is told', async () => {
  const { givenUp } = bedOf('source');
  const told = (running: Promise<string>, signal: AbortSignal): Promise<unknown> =>
    givenUp.follow(running, { ref }, signal, () => {
      throw new Error('it was left behind');
    });
  const calm = new AbortController().signal;
  expect(await told(Promise.resolve('done'), calm)).toBe('done');
  expect(await told(Promise.resolve('done'), ABORTED)).toBe('done');
  await expect(told(Promise.reject(new Error('its own')), ABORTED)).rejects.toThrow('its own');
});
