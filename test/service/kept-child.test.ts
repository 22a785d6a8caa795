import { describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { KeptChild } from '../../src/service/kept-child.js';
import { until } from './service-bed.js';

function keep(): { child: KeptChild; starts: () => number } {
  let starts = 0;
  const child = new KeptChild({
    name: 'sleeper',
    log: () => undefined,
    onChange: () => undefined,
    spawn: () => {
      starts += 1;
      return spawn('sleep', ['60'], { stdio: 'ignore' });
    },
  });
  return { child, starts: () => starts };
}

describe('a kept child', () => {
  it('is started again when it is killed', async () => {
    const { child, starts } = keep();
    child.start();
    child.markReady();
    process.kill(child.process?.pid ?? 0, 'SIGKILL');
    await until('it runs again', () => starts() === 2 && child.process !== undefined);
    expect(child).toMatchObject({ restarts: 1, lastExit: 'signal SIGKILL', state: 'starting' });
    await child.stop(1_000);
  });

  it('stays ended once it is stopped, even if it says that it is ready meanwhile', async () => {
    const { child, starts } = keep();
    child.start();
    const stopped = child.stop(1_000);
    child.markReady();
    await stopped;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(starts()).toBe(1);
    expect(child).toMatchObject({ state: 'stopped', process: undefined });
  });
});
