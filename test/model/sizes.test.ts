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

  it.each([
    ['200MiB/s', 209_715_200],
    ['1.5G/s', 1_610_612_736],
    ['100 kB/s', 100_000],
    ['8MB/S', 8_000_000],
    ['1/s', 1],
  ])('reads %s as %d bytes a second', (text, rate) => {
    expect(parseRate(text)).toBe(rate);
  });

  it.each(['', '/s', '200MiB', '0/s', '-1M/s', '1M/m', '1M/s/s', 'fast', '1h/s'])(
    'refuses %j as a rate, and shows how one is written',
    (text) => {
      expect(() => parseRate(text)).toThrow(
        expect.objectContaining({
          code: 'WB_USAGE',
          message: expect.stringContaining(`"${text}" is no rate; write it like 200MiB/s`),
        }),
      );
    },
  );

  it('reads every spelling of a size alike, as a rate too, and what it shows itself', () => {
    const powers = { '': 0, k: 1, m: 2, g: 3, t: 4 };
    for (const number of [0.5, 1, 1.25, 7, 512, 1023]) {
      for (const [letter, power] of Object.entries(powers)) {
        const binary = Math.round(number * 1024 ** power);
        const decimal = Math.round(number * 1000 ** power);
        const spelled: [string, number][] =
          letter === ''
            ? [
                ['', binary],
                ['B', binary],
                ['b', binary],
              ]
            : [
                ['', binary],
                ['i', binary],
                ['iB', binary],
                ['B', decimal],
                ['b', decimal],
              ];
        for (const [suffix, bytes] of spelled) {
          for (const unit of [letter, letter.toUpperCase()]) {
            for (const gap of ['', ' ']) {
              const text = `${number}${gap}${unit}${suffix}`;
              expect([text, parseSize(text)]).toEqual([text, bytes]);
              expect([text, parseRate(`${text}/s`)]).toEqual([text, bytes]);
            }
          }
        }
        const shown = parseSize(formatBytes(decimal));
        expect(Math.abs(shown - decimal)).toBeLessThanOrEqual(Math.max(1, decimal * 0.06));
      }
    }
  });

  it('reads durations as the sum of their parts', () => {
    const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
    for (const [first, firstMs] of Object.entries(units)) {
      for (const [second, secondMs] of Object.entries(units)) {
        const text = `3${first}1.5${second}`;
        expect([text, parseDuration(text)]).toEqual([
          text,
          Math.round(3 * firstMs + 1.5 * secondMs),
        ]);
      }
    }
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
