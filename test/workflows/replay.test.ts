import proto from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SigningCodec } from '../../src/codec/signing-codec.js';
import { RECORDED_KEY, type RecordedHistory } from './lib/recorded-history.js';
import { installQuietRuntime, workflowBundle } from './lib/bench.js';

const FOLDER = fileURLToPath(new URL('../../../test/histories', import.meta.url));
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

const { History } = proto.temporal.api.history.v1;

const read = (name: string): RecordedHistory =>
  JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as RecordedHistory;

const bytesOf = (name: string): Buffer => Buffer.from(read(name).proto, 'base64');

const signingOf = (name: string): object =>
  name.includes('-signed')
    ? { dataConverter: { payloadCodecs: [new SigningCodec(RECORDED_KEY)] } }
    : {};

let bundle: { code: string };

beforeAll(async () => {
  installQuietRuntime();
  bundle = await workflowBundle();
});

describe('rule 30: committed histories', () => {
  it('exist of every workflow type and course', () => {
    const courses = [
      ...[
        'small',
        'shards',
        'failed-file',
        'blocked',
        'paused',
        'cancelled',
        'gave-up',
        'deadline',
      ],
      ...['full-disk-in-shards', 'paused-in-shards', 'tuned', 'signed', 'needs-credentials'],
      ...['unmounted', 'waits-for-room', 'totals-in-memos'],
    ];
    for (const course of courses) expect(files).toContain(`pull-${course}.json`);
    expect(files.filter((name) => name.startsWith('shard-')).length).toBeGreaterThan(2);
  });

  it('say nothing about the machine that recorded them', () => {
    for (const name of files) {
      const text = bytesOf(name).toString('latin1');
      expect(text.includes(`${hostname()}/`)).toBe(false);
      expect(text.includes(process.cwd())).toBe(false);
      expect(text.includes('node_modules')).toBe(false);
      expect(text.includes('recorder/')).toBe(true);
    }
  });

  it.each(files)('replays: %s', async (name) => {
    await Worker.runReplayHistory(
      { workflowBundle: bundle, replayName: name, ...signingOf(name) },
      History.decode(bytesOf(name)),
      read(name).workflowId,
    );
  });

  it('a changed order of commands would be noticed', async () => {
    const history = History.decode(bytesOf('pull-small.json'));
    const scheduled = history.events.find(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'planPages',
    );
    const type = scheduled?.activityTaskScheduledEventAttributes?.activityType;
    if (type) type.name = 'planSomethingElse';
    await expect(
      Worker.runReplayHistory(
        { workflowBundle: bundle, replayName: 'changed' },
        history,
        read('pull-small.json').workflowId,
      ),
    ).rejects.toThrow();
  });
});
