/**
 * SHA256SUMS: the format of GNU coreutils' `sha256sum`, which checks it with `sha256sum --strict -c`. A line is
 * `<64 hex><space><space or *><path>`; where the path holds a backslash, LF or CR, the line starts with a
 * backslash and the path is escaped (`\\`, `\n`, `\r`). BSD tag lines (`SHA256 (path) = hex`) and those of
 * `openssl dgst` (`SHA2-256(path)= hex`) are read too.
 */
import { WaybillError } from '../model/errors.js';
import type { ErrorCode } from '../model/errors.js';
import { splitLines } from './lines.js';
import type { Chunks } from './lines.js';

/** One file and the SHA-256 that it should have. */
export interface SumsEntry {
  /** As written, unescaped, without a leading `./`. It is hostile: guard it before it becomes a file. */
  readonly path: string;
  /** 64 lowercase hex digits. */
  readonly sha256: string;
}

/** How sums are read. */
export interface ParseSumsOptions {
  /** What the text is called in messages. Default `SHA256SUMS`. */
  readonly name?: string;
  /** Code of the errors thrown. Default WB_USAGE; WB_LOCAL_DAMAGE for a file that Waybill wrote. */
  readonly code?: ErrorCode;
  /**
   * A line that is no checksum is an error, and so are a missing last line feed, and an empty text. Default
   * false: such lines are passed over, as `sha256sum -c` does, unless no line at all is a checksum.
   */
  readonly isStrict?: boolean;
}

const NEEDS_ESCAPE = /[\\\n\r]/;
const GNU_LINE = /^(\\?)([0-9a-fA-F]{64}) [ *]([^]+)$/;
const BSD_LINE = /^(\\?)SHA(?:2-)?256 ?\(([^]+)\) ?= ([0-9a-fA-F]{64})$/;
const SHA256_HEX = /^[0-9a-f]{64}$/;

/** One line of SHA256SUMS, line feed included. Throws WB_UNEXPECTED if the digest is not 64 lowercase hex digits. */
export function formatSumsLine(entry: SumsEntry): string {
  if (!SHA256_HEX.test(entry.sha256)) {
    throw new WaybillError('WB_UNEXPECTED', `not a SHA-256: ${entry.sha256.slice(0, 80)}`, {
      operation: 'format',
      path: entry.path,
    });
  }
  // To sha256sum a plain `-` is its stdin.
  const path = entry.path === '-' ? './-' : entry.path;
  if (!NEEDS_ESCAPE.test(path)) return `${entry.sha256}  ${path}\n`;
  const escaped = path.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return `\\${entry.sha256}  ${escaped}\n`;
}

/** Reads sums as they arrive. Comments (`#`) and empty lines are passed over, CRLF is tolerated. */
export async function* parseSums(
  chunks: Chunks,
  options: ParseSumsOptions = {},
): AsyncGenerator<SumsEntry> {
  const name = options.name ?? 'SHA256SUMS';
  const code = options.code ?? 'WB_USAGE';
  const fail = (what: string): WaybillError =>
    new WaybillError(code, `${name}: ${what}`, { operation: 'parse' });
  let found = 0;
  let others = 0;
  for await (const line of splitLines(chunks, { name, code })) {
    if (options.isStrict === true && line.isTorn) {
      throw fail(`line ${line.number} is torn off: the file was cut`);
    }
    const text = line.text.endsWith('\r') ? line.text.slice(0, -1) : line.text;
    if (text === '' || text.startsWith('#')) continue;
    const entry = parseSumsLine(text);
    if (entry) {
      found += 1;
      yield entry;
    } else if (options.isStrict === true) {
      throw fail(`line ${line.number} is no checksum line`);
    } else {
      others += 1;
    }
  }
  if (found === 0 && others > 0) throw fail('no line of it is a SHA-256 checksum line');
}

/** One line without line end; undefined if it is no checksum line. */
export function parseSumsLine(text: string): SumsEntry | undefined {
  const gnu = GNU_LINE.exec(text);
  const bsd = gnu ? null : BSD_LINE.exec(text);
  const [, mark, sha256, written] = gnu ?? [undefined, bsd?.[1], bsd?.[3], bsd?.[2]];
  if (mark === undefined || sha256 === undefined || written === undefined) return undefined;
  const path = mark === '\\' ? unescape(written) : written;
  if (path === undefined) return undefined;
  const relative = path.replace(/^(\.\/+)+/, '');
  return relative === '' ? undefined : { path: relative, sha256: sha256.toLowerCase() };
}

/** The path behind its escapes; undefined for an escape that does not exist. */
function unescape(escaped: string): string | undefined {
  if (/\\(?![\\nr])/.test(escaped.replaceAll('\\\\', ''))) return undefined;
  return escaped.replace(/\\([\\nr])/g, (_all, letter: string) =>
    letter === 'n' ? '\n' : letter === 'r' ? '\r' : '\\',
  );
}

/**
 * All sums by path. Throws like `parseSums`, and when one path has two different digests; WB_LIMIT_EXCEEDED for
 * more than `maxEntries` (default a million).
 */
export async function collectSums(
  chunks: Chunks,
  options: ParseSumsOptions & { readonly maxEntries?: number } = {},
): Promise<Map<string, string>> {
  const name = options.name ?? 'SHA256SUMS';
  const limit = options.maxEntries ?? 1_000_000;
  const sums = new Map<string, string>();
  for await (const { path, sha256 } of parseSums(chunks, options)) {
    const earlier = sums.get(path);
    if (earlier !== undefined && earlier !== sha256) {
      const message = `${name}: ${JSON.stringify(path.slice(0, 200))} is listed with two different digests`;
      throw new WaybillError(options.code ?? 'WB_USAGE', message, { operation: 'parse' });
    }
    sums.set(path, sha256);
    if (sums.size > limit) {
      const message = `${name} lists more than ${limit} files`;
      throw new WaybillError('WB_LIMIT_EXCEEDED', message, { operation: 'parse' });
    }
  }
  return sums;
}
