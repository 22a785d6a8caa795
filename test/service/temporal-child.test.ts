/** How the local Temporal is started over a new database, and over one that an earlier Waybill made. */
import { describe, expect, it } from '@jest/globals';
import { temporalArguments } from '../../src/service/temporal-child.js';

const SERVER = { cli: 'temporal', database: '/state/temporal.db' };
const PORTS = { temporal: 15_001, ui: 15_002 };

/** What is said about the partitions of task queues. */
function partitionsOf(hasOnePartition?: boolean): readonly string[] {
  const ports = hasOnePartition === undefined ? PORTS : { ...PORTS, hasOnePartition };
  return temporalArguments({ ...SERVER, ports }).filter((text) => text.includes('artitions'));
}

describe('the task queues of the local Temporal', () => {
  it('have one partition in a new database', () => {
    expect(partitionsOf(true)).toEqual([
      'matching.numTaskqueueWritePartitions=1',
      'matching.numTaskqueueReadPartitions=1',
    ]);
  });

  it('get no more tasks into the other partitions of an older one, and what is there is still found', () => {
    expect(partitionsOf()).toEqual(['matching.numTaskqueueWritePartitions=1']);
  });
});
