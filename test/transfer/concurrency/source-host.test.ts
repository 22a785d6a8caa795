/** Which answers of a source mean fewer connections, and which say nothing of their number. */
import { describe, expect, it } from '@jest/globals';
import { WaybillError } from '../../../src/model/errors.js';
import { errorOfStatus } from '../../../src/stores/lib/http-errors.js';
import { SourceHost, type HostUser } from '../../../src/transfer/concurrency/source-host.js';

const CIRCUMSTANCES = { address: 'http://source.test', operation: 'openRead', store: 'http' };

function errorOf(status: number, headers: Readonly<Record<string, string>> = {}): WaybillError {
  return errorOfStatus({ status, headers, text: '' }, CIRCUMSTANCES);
}

/** Connections at a host after an answer; a pull starts with four. */
function connectionsAfter(error: unknown): { connections: number; why: string } {
  const host = new SourceHost();
  const user: HostUser = { cap: 32, declared: 32, isBusy: true, allow: () => undefined };
  host.join(user);
  try {
    // One failed request in some does not count, unless the source has asked for fewer.
    for (let good = 0; good < 200; good += 1) host.answered();
    host.failed(error);
    const { connections, decisions } = host.note;
    return { connections, why: decisions[0]?.text ?? '' };
  } finally {
    host.leave(user);
  }
}

describe('an answer of the source', () => {
  it.each<readonly [string, unknown]>([
    ['421', errorOf(421)],
    ['429', errorOf(429)],
    ['429 with Retry-After', errorOf(429, { 'retry-after': '3' })],
    ['503 with Retry-After', errorOf(503, { 'retry-after': '3' })],
  ])('%s asks for fewer connections at once', (_name, error) => {
    expect(connectionsAfter(error)).toEqual({
      connections: 2,
      why: '4 to 2 connections: the source asked for fewer requests once',
    });
  });

  it.each<readonly [string, unknown]>([
    ...[401, 403, 404, 410, 412, 416, 451, 501].map(
      (status) => [String(status), errorOf(status)] as const,
    ),
    ['a wrong digest', new WaybillError('WB_DIGEST_MISMATCH', 'other bytes')],
    ['a full disk', new WaybillError('WB_NO_SPACE', 'full', { scope: 'destination' })],
    ['what nobody expected', new Error('no such thing')],
    ['one 503 among hundreds of good answers', errorOf(503)],
  ])('%s says nothing of their number', (_name, error) => {
    expect(connectionsAfter(error)).toEqual({ connections: 4, why: '' });
  });

  it('counts a server that breaks off as refusing, where it is more than one in a hundred', () => {
    const host = new SourceHost();
    const user: HostUser = { cap: 32, declared: 32, isBusy: true, allow: () => undefined };
    host.join(user);
    host.failed(errorOf(500));
    host.leave(user);
    expect(host.note.connections).toBe(2);
  });
});
