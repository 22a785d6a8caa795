/**
 * The one table of errors. A code says what went wrong, whose fault it is (`scope`), whether trying
 * again can help, and the exit code of the command line. `docs/errors.md` lists the same codes; a
 * test holds the two together.
 */

/** What an error is about: one file, the whole source, the whole destination, or the request itself. */
export type ErrorScope = 'file' | 'source' | 'destination' | 'request';

/** One row of the error table. */
export interface ErrorRow {
  readonly scope: ErrorScope;
  /** Whether the same attempt, made again, may succeed without a person doing anything. */
  readonly retryable: boolean;
  /** The command line's exit code when this error decides the outcome. */
  readonly exitCode: number;
  /** The HTTP status that a gateway would answer with. */
  readonly httpStatus: number;
  /** One sentence for the documentation. */
  readonly summary: string;
  /** What the user does next. */
  readonly advice: string;
}

const row = (
  scope: ErrorScope,
  retryable: boolean,
  exitCode: number,
  httpStatus: number,
  summary: string,
  advice: string,
): ErrorRow => ({ scope, retryable, exitCode, httpStatus, summary, advice });

/** code -> scope, retryable, exit code, HTTP status, summary, advice. */
export const ERRORS = {
  WB_UNEXPECTED: row(
    'file',
    true,
    1,
    500,
    'Something that Waybill does not know.',
    'Run again with --debug and report what it prints.',
  ),
  WB_USAGE: row(
    'request',
    false,
    2,
    400,
    'The command line cannot be understood.',
    'Read `waybill <command> --help`.',
  ),
  WB_CONFIG_INVALID: row(
    'request',
    false,
    2,
    400,
    'A setting, a configuration file or an environment variable is wrong.',
    'Correct the setting that the message names.',
  ),
  WB_UNSUPPORTED: row(
    'request',
    false,
    2,
    400,
    'A scheme or a feature that Waybill does not have.',
    'Run `waybill stores` for what it can read.',
  ),
  WB_PARTIAL: row(
    'request',
    false,
    3,
    207,
    'Some files were published, some failed.',
    'The same command continues with what is missing.',
  ),
  WB_NOT_FOUND: row(
    'file',
    false,
    4,
    404,
    'The source, or one file of it, does not exist.',
    'Check the name with `waybill ls`.',
  ),
  WB_NOTHING_MATCHES: row(
    'request',
    false,
    4,
    404,
    'The filters leave no file to fetch.',
    'Check --include and --exclude with --dry-run.',
  ),
  WB_UNAUTHENTICATED: row(
    'source',
    true,
    5,
    401,
    'The source wants a sign-in that it did not get, or no longer accepts.',
    'Sign in again, then run the same command.',
  ),
  WB_PERMISSION_DENIED: row(
    'file',
    false,
    5,
    403,
    'Reading the source, or writing the destination, is not permitted.',
    'Ask for the permission, then run the same command.',
  ),
  WB_SIGN_IN_PAGE: row(
    'file',
    false,
    5,
    401,
    'The source answered with an HTML page where a file was expected.',
    'It is likely a sign-in page: open the address in a browser and check the credentials.',
  ),
  WB_SIZE_MISMATCH: row(
    'file',
    true,
    6,
    502,
    'The number of bytes is not what the source said.',
    'Run the same command again; if it stays, the copy at the source is damaged.',
  ),
  WB_DIGEST_MISMATCH: row(
    'file',
    true,
    6,
    502,
    'The bytes do not have the expected digest.',
    'Run the same command again; if it stays, the copy at the source is damaged.',
  ),
  WB_VERSION_OVERWRITTEN: row(
    'file',
    true,
    6,
    409,
    'The bytes at the source are of another version than the one that was asked for: it was overwritten in the store.',
    'Ask for the version that is there now, or log this one again to a place of its own.',
  ),
  WB_UNPROVEN_LENGTH: row(
    'file',
    false,
    6,
    502,
    'The end of the body could not be told from a cut connection.',
    'Use --require none to accept it all the same.',
  ),
  WB_LEVEL_TOO_LOW: row(
    'file',
    false,
    6,
    422,
    'The file is proven less well than --require asks.',
    'Lower --require, or give digests with --expect.',
  ),
  WB_MISSING_FILE: row(
    'file',
    false,
    6,
    422,
    'A file that a manifest lists is not at the source.',
    'The source is not complete: publish it again, or leave the file out with --exclude.',
  ),
  WB_LOCAL_DAMAGE: row(
    'destination',
    false,
    6,
    422,
    'What is on disk is not what the manifest says.',
    'Run the same pull again with --checksum --if-exists overwrite to repair it.',
  ),
  WB_NO_SPACE: row(
    'destination',
    true,
    7,
    507,
    'The destination is full, over quota or read-only.',
    'Make room, or make it writable, then run the same command.',
  ),
  WB_DESTINATION_FAILED: row(
    'destination',
    true,
    7,
    507,
    'The file system of the destination reported an input/output error.',
    'Check the disk or the mount, then run the same command.',
  ),
  WB_SOURCE_CHANGED: row(
    'file',
    false,
    8,
    409,
    'The source changed while it was being read.',
    'Run the same command again to fetch the new version.',
  ),
  WB_CONFLICT: row(
    'destination',
    false,
    9,
    409,
    'The destination holds something that Waybill must not touch.',
    'Use another destination, or the option that the message names.',
  ),
  WB_DESTINATION_OWNED: row(
    'destination',
    false,
    9,
    409,
    'Another pull owns this destination.',
    'Wait for it, go on with it or cancel it: `waybill pulls`.',
  ),
  WB_TEMPORAL_UNREACHABLE: row(
    'request',
    true,
    10,
    503,
    'Temporal cannot be reached.',
    'Run `waybill doctor`.',
  ),
  WB_NO_WORKER: row(
    'request',
    true,
    10,
    503,
    'No worker serves this destination.',
    'Start one with `waybill worker`.',
  ),
  WB_DESTINATION_NOT_HERE: row(
    'destination',
    false,
    10,
    503,
    'The folder at the destination is not the one that this pull claimed.',
    'Mount it again: a running pull goes on by itself; else run the same command. If it was removed for good: `waybill cancel`, then the same command.',
  ),
  WB_UNSAFE_PATH: row(
    'file',
    false,
    11,
    422,
    'A name at the source could write outside the destination.',
    'Rename it at the source, or leave it out with --exclude.',
  ),
  WB_NAME_COLLISION: row(
    'file',
    false,
    11,
    422,
    'Two names at the source become one at the destination.',
    'Leave one out with --exclude.',
  ),
  WB_RATE_LIMITED: row(
    'source',
    true,
    12,
    429,
    'The source asks for fewer requests.',
    'Wait, or lower --concurrency.',
  ),
  WB_UNAVAILABLE: row(
    'source',
    true,
    12,
    503,
    'The source cannot be reached or answers with an error.',
    'Check the address and the network, then run the same command.',
  ),
  WB_TIMEOUT: row(
    'source',
    true,
    12,
    504,
    'The source stopped answering.',
    'Check the network, then run the same command.',
  ),
  WB_GAVE_UP: row(
    'request',
    false,
    12,
    504,
    'Nothing moved for longer than --give-up-after, or the deadline passed.',
    'The same command goes on where it stopped.',
  ),
  WB_CANCELLED: row(
    'request',
    false,
    13,
    499,
    'The pull was cancelled.',
    'The same command goes on where it stopped.',
  ),
  WB_LIMIT_EXCEEDED: row(
    'request',
    false,
    14,
    413,
    'The source is larger than --max-files or --max-bytes, or a built-in limit.',
    'Raise the limit, or narrow it with --include.',
  ),
  WB_VERSION_SKEW: row(
    'request',
    false,
    10,
    426,
    'Two versions of Waybill do not understand each other.',
    'Run `waybill down`, then the same command.',
  ),
  WB_STOPPED: row(
    'request',
    false,
    130,
    499,
    'The pull was stopped and can be resumed.',
    'The same command goes on where it stopped.',
  ),
} as const satisfies Record<string, ErrorRow>;

/** A code of the table. */
export type ErrorCode = keyof typeof ERRORS;

/** Bytes that are not the expected ones: a damaged cache or proxy behind the connection may give them again (rule 17). */
export function hasWrongBytes(code: ErrorCode): boolean {
  return (
    code === 'WB_DIGEST_MISMATCH' ||
    code === 'WB_SIZE_MISMATCH' ||
    code === 'WB_VERSION_OVERWRITTEN'
  );
}

/** Whether a string is a code of the table. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERRORS, value);
}
