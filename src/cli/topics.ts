/** `waybill help exit-codes|levels|units`: what is no command and worth a page. */
import { ERRORS } from '../model/errors.js';
import { LEVELS, type Level } from '../model/level.js';

/** What each exit code means; docs/exit-codes.md says the same. */
export const EXIT_CODES: Readonly<Record<number, string>> = {
  0: 'done: all that was asked for is in place and sealed',
  1: 'unexpected',
  2: 'usage or configuration',
  3: 'partial: something was published, something failed; the same command continues',
  4: 'not found, or the filters match nothing',
  5: 'not authenticated, or not permitted',
  6: 'integrity: bytes are not what they should be',
  7: 'no space, or the file system fails',
  8: 'the source changed while it was read',
  9: 'conflict: the destination holds something that Waybill must not touch',
  10: 'Temporal cannot be reached, or no worker serves the destination',
  11: 'unsafe name',
  12: 'gave up: the source was unreachable or throttled for too long, or the deadline passed',
  13: 'cancelled',
  14: 'over a limit',
  130: 'stopped by Ctrl-C, resumable',
  143: 'stopped by SIGTERM, resumable',
};

const LEVEL_TEXTS: Readonly<Record<Level, string>> = {
  none: 'nothing: the source told no size',
  size: 'the number of bytes is the one that the source said',
  provider: 'a checksum that the store computed is equal (S3 checksum or ETag, MD5, CRC)',
  published: 'a SHA-256 that lies with the source is equal (waybill seal, SHA256SUMS)',
  digest: 'the SHA-256 that you gave with --expect is equal',
};

const WIDTH = 80;

/** A term and its text, which goes on below itself. */
function entry(term: string, termWidth: number, text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && termWidth + 4 + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines
    .map((part, index) => `  ${(index === 0 ? term : '').padEnd(termWidth)}  ${part}`)
    .join('\n');
}

function exitCodes(): string {
  const codesOf = (exitCode: number): string => {
    const codes = Object.entries(ERRORS).filter(([, row]) => row.exitCode === exitCode);
    return codes.length === 0 ? '' : ` (${codes.map(([code]) => code).join(', ')})`;
  };
  const lines = Object.entries(EXIT_CODES).map(([exitCode, text]) =>
    entry(exitCode, 3, `${text}${codesOf(Number(exitCode))}`),
  );
  return `Exit codes:
${lines.join('\n')}

Where nothing was published the most serious class decides: 6, 8, 11, 7, 9, 5,
4, 12. The code in parentheses is in the result line of --json.`;
}

function levels(): string {
  const lines = LEVELS.map((level) => entry(level, 9, LEVEL_TEXTS[level]));
  return `How well a file is proven, weakest first:
${lines.join('\n')}

--require LEVEL refuses to publish a file below it. The SHA-256 of every file is
computed and recorded in any case; a known size and a known checksum must match
whatever the level asked for.`;
}

const UNITS = `Sizes: 512, 200MiB, 1.5G, 8GB. A bare number is bytes; K, M, G, T and KiB, MiB
count in 1024s, kB, MB, GB in 1000s; upper and lower case are the same.
Rates: a size and /s: 200MiB/s.
Durations: 500ms, 90s, 15m, 1h30m, 2d; never, where no limit is one.
They are the same in flags, variables and waybill.toml.`;

const TOPICS: Readonly<Record<string, () => string>> = {
  'exit-codes': exitCodes,
  levels,
  units: () => UNITS,
};

/** The names of the topics. */
export const TOPIC_NAMES = Object.keys(TOPICS);

/** The page of a topic; undefined if there is none of that name. */
export function topicText(name: string): string | undefined {
  return Object.hasOwn(TOPICS, name) ? TOPICS[name]?.() : undefined;
}
