import { describe, expect, it } from '@jest/globals';
import {
  formatBytes,
  formatDuration,
  parseDuration,
  parseDurationOrNever,
  parseRate,
  parseSize,
} from '../../src/model/sizes.js';

describe('sizes', () => {
  it.each([
    ['0', 0],
    ['512', 512],
    ['512B', 512],
    ['1K', 1024],
    ['1KiB', 1024],
    ['1ki', 1024],
    ['1kB', 1000],
    ['200MiB', 209_715_200],
    ['1.5G', 1_610_612_736],
    ['1.5 GB', 1_500_000_000],
    ['2T', 2_199_023_255_552],
  ])('reads %s as %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', 'G', '-1', '1X', '1iB', '1,5G', 'NaN', '1e3', '99999999P', '200MiB/s'])(
    'refuses %j as a size',
    (text) => {
      expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: 'WB_USAGE' }));
    },
  );

  it('reads rates only with /s', () => {
    expect(parseRate('200MiB/s')).toBe(209_715_200);
    expect(() => parseRate('200MiB')).toThrow('200MiB/s');
  });

  it.each([
    ['500ms', 500],
    ['90s', 90_000],
    ['15m', 900_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['2d', 172_800_000],
  ])('reads %s as %d milliseconds', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '15', '0s', 'm', '-1s', '1 h', '5min'])('refuses %j as a duration', (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'WB_USAGE' }));
  });

  it('reads never as no limit', () => {
    expect(parseDurationOrNever('never')).toBeUndefined();
    expect(parseDurationOrNever('15m')).toBe(900_000);
  });

  it('shows sizes with three digits at most', () => {
    const shown = [0, 999, 1000, 9_940, 9_960, 999_499, 999_600, 8_123_456_789, 312e9].map(
      formatBytes,
    );
    expect(shown).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '9.9 kB',
      '10 kB',
      '999 kB',
      '1.0 MB',
      '8.1 GB',
      '312 GB',
    ]);
  });

  it('shows durations in two units at most', () => {
    const shown = [400, 35_000, 185_000, 3_720_000, 187_200_000].map(formatDuration);
    expect(shown).toEqual(['0.4 s', '35 s', '3 min 05 s', '1 h 02 min', '2 d 04 h']);
  });
});
