/** What else a command asks for. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseFileList } from '../../../src/cli/request/files-from.js';
import { openDesk, type Desk } from './desk.js';

let desk: Desk;

beforeAll(() => {
  desk = openDesk();
});

afterAll(() => desk.clear());

describe('the options of a request', () => {
  it('have defaults that need no option', () => {
    expect(desk.build('./data', 'out').request).toMatchObject({
      protocol: 1,
      ifExists: 'update',
      requireLevel: 'none',
      acceptUnprovenLength: false,
      checksum: false,
      prune: false,
      giveUpAfterMs: 900_000,
      filters: { include: [], exclude: [] },
    });
  });

  it('rule 11: accept an unproven length only when --require none was typed', () => {
    expect(desk.build('./data', 'out', { require: 'none' }).request.acceptUnprovenLength).toBe(
      true,
    );
  });

  it('read sizes, durations and counts', () => {
    const flags = { maxBytes: '1.5G', giveUpAfter: 'never', timeout: '2h', concurrency: '8' };
    const { request } = desk.build('./data', 'out', flags);
    expect(request).toMatchObject({
      maxBytes: 1_610_612_736,
      timeoutMs: 7_200_000,
      concurrency: 8,
    });
    expect(request.giveUpAfterMs).toBeUndefined();
  });

  it.each([
    [{ ifExists: 'replace' }, '--if-exists'],
    [{ concurrency: '0' }, '--concurrency'],
    [{ maxBytes: 'much' }, '--max-bytes'],
    [{ require: 'sha' }, '--require'],
  ])('refuse %j, naming the flag', (flags, flag) => {
    expect(() => desk.build('./data', 'out', flags)).toThrow(
      expect.objectContaining({ code: 'WB_USAGE', message: expect.stringContaining(flag) }),
    );
  });

  it('take a digest, an existing list or a URI as the expectation', () => {
    const hex = 'A'.repeat(64);
    writeFileSync(join(desk.cwd, 'SHA256SUMS'), '');
    const expectOf = (text: string): unknown =>
      desk.build('./data', 'o', { expect: text }).request.expect;
    expect(expectOf(`sha256:${hex}`)).toEqual({ kind: 'digest', sha256: hex.toLowerCase() });
    expect(expectOf('SHA256SUMS')).toEqual({
      kind: 'list',
      location: join(desk.cwd, 'SHA256SUMS'),
    });
    expect(expectOf('https://h/SUMS')).toEqual({ kind: 'list', location: 'https://h/SUMS' });
    expect(() => expectOf('nosuch')).toThrow('there is no such file');
  });
});

describe('--files-from', () => {
  it('reads lines, or NUL where there is one, once each', () => {
    expect(parseFileList('a\r\n./b\n\na\n')).toEqual(['a', 'b']);
    expect(parseFileList('a b\0c\nd\0')).toEqual(['a b', 'c\nd']);
  });

  it('rule 21: refuses names that leave the destination', () => {
    expect(() => parseFileList('../x')).toThrow(
      expect.objectContaining({
        code: 'WB_UNSAFE_PATH',
        advice: 'Write names as `waybill ls -r` shows them, relative to the root of the source.',
      }),
    );
  });
});
