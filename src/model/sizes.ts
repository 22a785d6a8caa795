/** The one grammar of sizes (`200MiB`, `1.5G`), rates (`200MiB/s`) and durations (`90s`, `1h30m`): read and shown. */
import { WaybillError } from './errors.js';

const SIZE = /^(\d+(?:\.\d+)?|\.\d+) ?([kmgtp]?)(i?b?)$/i;
const POWERS = ['', 'k', 'm', 'g', 't', 'p'];

/**
 * Bytes of a size. Units in any case: `KiB MiB GiB` and the bare letters `K M G` count in 1024s (as `dd` does),
 * `KB MB GB` in 1000s; a bare number is bytes. Anything else, or a value over 2^53, is WB_USAGE.
 */
export function parseSize(text: string): number {
  const match = SIZE.exec(text.trim());
  const [, number = '', letter = '', suffix = ''] = match ?? [];
  const isPlainUnit = letter === '' && /i/i.test(suffix);
  const base = letter !== '' && suffix.toLowerCase() === 'b' ? 1000 : 1024;
  const bytes = Math.round(Number(number) * base ** POWERS.indexOf(letter.toLowerCase()));
  if (!match || isPlainUnit || !Number.isSafeInteger(bytes)) {
    throw new WaybillError('WB_USAGE', `"${text}" is no size; write it like 200MiB, 1.5G or 8GB`);
  }
  return bytes;
}

/** Bytes per second of a rate: a size above 0, and `/s`. Zero or anything else is WB_USAGE. */
export function parseRate(text: string): number {
  const [, size = ''] = /^(.*)\/s$/is.exec(text.trim()) ?? [];
  try {
    const bytesPerSecond = parseSize(size);
    if (bytesPerSecond > 0) return bytesPerSecond;
  } catch {
    // The message of a size would name another form.
  }
  throw new WaybillError('WB_USAGE', `"${text}" is no rate; write it like 200MiB/s or 1.5G/s`);
}

const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** As `parseRate`; `never` is undefined: no limit. */
export function parseRateOrNever(text: string): number | undefined {
  return text.trim().toLowerCase() === 'never' ? undefined : parseRate(text);
}

/** Milliseconds of a duration: `500ms`, `90s`, `15m`, `1h30m`, `2d`. Zero or anything else is WB_USAGE. */
export function parseDuration(text: string): number {
  const trimmed = text.trim();
  let total = 0;
  if (DURATION.test(trimmed)) {
    for (const [, number = '', unit = ''] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
      total += Number(number) * (UNIT_MS[unit] ?? Number.NaN);
    }
  }
  if (!(total > 0) || !Number.isSafeInteger(Math.round(total))) {
    throw new WaybillError('WB_USAGE', `"${text}" is no duration; write it like 90s, 15m or 1h30m`);
  }
  return Math.round(total);
}

/** As `parseDuration`; `never` is undefined. */
export function parseDurationOrNever(text: string): number | undefined {
  return text.trim().toLowerCase() === 'never' ? undefined : parseDuration(text);
}

const SHOWN_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** A size for people, in powers of 1000 with three digits at most: `0 B`, `999 B`, `8.1 GB`, `312 GB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // Before rounding would show "1000 MB".
  while (value >= 999.5 && unit < SHOWN_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${SHOWN_UNITS[unit] ?? ''}`;
}

/** A rate for people: `112 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** A duration for people, two units at most: `0.4 s`, `35 s`, `3 min 05 s`, `1 h 02 min`, `2 d 04 h`. */
export function formatDuration(durationMs: number): string {
  const seconds = durationMs / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value: number): string => String(value).padStart(2, '0');
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
  const hours = Math.round(minutes / 60);
  return `${Math.floor(hours / 24)} d ${two(hours % 24)} h`;
}

/** A count with its noun: `1 file`, `412 files`, `12,345 files`. */
export function formatCount(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
