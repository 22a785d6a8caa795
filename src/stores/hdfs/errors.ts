/** The one place that knows what WebHDFS answers instead of a file. */
import { WaybillError } from '../../model/errors.js';
import { errorTextOf } from '../lib/error-text.js';
import { errorOfStatus, type Circumstances } from '../lib/http-errors.js';
import {
  errorOfRow,
  FINAL,
  notTheService,
  SOURCE,
  type ErrorRow,
  type FailedAnswer,
} from '../lib/service-errors.js';
import { FailureAnswer } from './answers.js';
import type { HdfsIdentity } from './identity.js';

/** What was asked, and as whom. */
export interface Asked extends Circumstances {
  readonly identity: HdfsIdentity;
  readonly isListing: boolean;
}

/** Hadoop's word for a failure. */
export interface Failure {
  /** `FileNotFoundException`. */
  readonly exception: string;
  readonly message: string;
}

const MISSING = ['WB_NOT_FOUND', 'does not have it'] as const;
const NOT_YET: ErrorRow = ['WB_UNAVAILABLE', 'cannot answer for now', SOURCE];
const PAST_THE_END: ErrorRow = [
  'WB_SIZE_MISMATCH',
  'says that it is shorter than the range asked for',
];
const HAS_NONE: ErrorRow = [
  'WB_UNSUPPORTED',
  'has no checksum of it',
  { scope: 'file', retryable: false },
];
/** Or a node that has it could not be asked just then: HttpFS has the same words for both. */
const PERHAPS_NONE: ErrorRow = [
  'WB_UNSUPPORTED',
  'could not have its checksum computed',
  { scope: 'file', retryable: true },
];
const NO_PATH: ErrorRow = ['WB_UNSAFE_PATH', 'takes no such name', { scope: 'file' }];

/** By Hadoop's own word for it, without its package. */
const BY_EXCEPTION: Readonly<Record<string, ErrorRow>> = {
  FileNotFoundException: MISSING,
  NoSuchFileException: MISSING,
  StandbyException: ['WB_UNAVAILABLE', 'is not the active name node', SOURCE],
  ObserverRetryOnActiveException: NOT_YET,
  RetriableException: NOT_YET,
  SafeModeException: [
    'WB_UNAVAILABLE',
    'is in safe mode: it starts, or somebody has set it so',
    SOURCE,
  ],
  NamenodeNotFoundException: NOT_YET,
  ServerTooBusyException: ['WB_RATE_LIMITED', 'asks for fewer requests'],
  BlockMissingException: ['WB_UNAVAILABLE', 'misses a block of it', { scope: 'file' }],
  ReplicaNotFoundException: ['WB_UNAVAILABLE', 'misses a block of it', { scope: 'file' }],
  InvalidPathException: NO_PATH,
  InvalidPathNameException: NO_PATH,
  ParentNotDirectoryException: MISSING,
  PathIsNotDirectoryException: MISSING,
  UnresolvedPathException: [
    'WB_UNSUPPORTED',
    'has a symbolic link on the way to it, which is not followed',
    { scope: 'file', retryable: false },
  ],
  UnsupportedOperationException: [
    'WB_UNSUPPORTED',
    'cannot do it',
    { scope: 'file', retryable: false },
  ],
};

/** Hadoop's word in the body of an error; undefined: it has none. */
export function failureOf(body: string): Failure | undefined {
  try {
    const { exception, message = '' } = FailureAnswer.parse(JSON.parse(body)).RemoteException;
    return { exception: exception.replace(/^.*[.$]/, ''), message };
  } catch {
    return undefined;
  }
}

/** The error of an answer. */
export function errorOfAnswer(answer: FailedAnswer, asked: Asked): WaybillError {
  const failure = failureOf(answer.body);
  const row = rowOf(answer, failure, asked);
  const text = errorTextOf(failure === undefined ? answer.body : firstLine(failure.message));
  if (row === undefined) {
    const { status, headers } = answer;
    return errorOfStatus({ status, headers, text: sentence(failure, text) }, asked);
  }
  const said = sentence(failure, text);
  const stated = `HTTP ${answer.status}${said === '' ? '' : `, ${said}`}`;
  return errorOfRow(row, answer.headers, stated, asked);
}

function sentence(failure: Failure | undefined, text: string): string {
  if (failure === undefined) return text;
  return text === '' ? failure.exception : `${failure.exception}: ${text}`;
}

/** Behind it the stack of the server comes. */
function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function rowOf(
  { status, headers, body }: FailedAnswer,
  failure: Failure | undefined,
  { identity, isListing, operation, path }: Asked,
): ErrorRow | undefined {
  const { who } = identity;
  const isNegotiated = /^\s*negotiate\b/i.test(headers['www-authenticate'] ?? '');
  if (status === 401 && isNegotiated && identity.kind !== 'token') {
    return [
      'WB_UNAUTHENTICATED',
      `wants Kerberos, and does not take the word of ${who}: run kinit, or set HADOOP_TOKEN_FILE_LOCATION to a delegation token`,
      FINAL,
    ];
  }
  if (failure === undefined) {
    if (status === 401) return notAccepted(identity);
    // HttpFS finds out when it has begun to answer.
    return /\bEOFException: Premature EOF/.test(body) ? PAST_THE_END : undefined;
  }
  if (/is not allowed to impersonate/.test(failure.message)) return noDeputy(identity);
  if (REFUSALS.has(failure.exception)) return notAccepted(identity);
  if (failure.exception === 'AccessControlException') {
    return [
      'WB_PERMISSION_DENIED',
      `denies ${who} the ${isListing ? 'listing' : 'reading'}: ask its owner for the rights (hdfs dfs -ls -d, -getfacl), or set HADOOP_USER_NAME to who has them`,
      isListing ? SOURCE : { scope: 'file' },
    ];
  }
  if (operation === 'checksum') {
    if (/Fail to get block \w+ for/i.test(failure.message)) return PERHAPS_NONE;
    if (hasNone(failure)) return HAS_NONE;
  }
  const known = BY_EXCEPTION[failure.exception] ?? ofMessage(failure.message);
  // Where the root is missing, so is the whole source.
  return known === MISSING && path === '' ? [...MISSING, SOURCE] : known;
}

/** Of tokens and names; SecurityException is the common wrapper of a token that is wrong or has ended. */
const REFUSALS = new Set([
  'InvalidToken',
  'AuthenticationException',
  'AuthorizationException',
  'SecurityException',
]);

function notAccepted({ who, remedy }: HdfsIdentity): ErrorRow {
  return ['WB_UNAUTHENTICATED', `does not accept ${who}: ${remedy}`, SOURCE];
}

/** A gateway asks for others, and a name node lets it only if it is told so. */
function noDeputy({ who }: HdfsIdentity): ErrorRow {
  return [
    'WB_PERMISSION_DENIED',
    `may not ask for ${who}: the name nodes have to allow it by hadoop.proxyuser.<user of the gateway>.hosts and .groups in core-site.xml`,
    FINAL,
  ];
}

/**
 * Of a file whose blocks have checksums of several kinds there is none: HttpFS stumbles over what is not there, or is told why.
 */
function hasNone({ exception, message }: Failure): boolean {
  return exception === 'NullPointerException' || /Byte-per-checksum not matched/i.test(message);
}

/** Whether a checksum that could not be had may be had when it is asked for once more. */
export function mayHaveOne(error: unknown): boolean {
  return error instanceof WaybillError && error.code === 'WB_UNSUPPORTED' && error.retryable;
}

/** Some failures are an IOException of many words, and all that HttpFS is told by a name node are a RemoteException. */
function ofMessage(message: string): ErrorRow | undefined {
  if (/out of the range|^Offset=/.test(message)) return PAST_THE_END;
  if (/Path is not a file/i.test(message)) return MISSING;
  if (/Failed to find datanode|no live|could only be/i.test(message)) return NOT_YET;
  if (/is not active|Namenode is not|in startup mode|Safe ?Mode/i.test(message)) return NOT_YET;
  if (/not supported in state/i.test(message)) return NOT_YET;
  return undefined;
}

/** The service answered, but not as WebHDFS does. */
export function notWebHdfs(asked: Asked, placedBy: string): WaybillError {
  return notTheService(
    asked,
    `WebHDFS does: check ${placedBy}, and that it is the port of HTTP (9870) and not of RPC (8020)`,
  );
}
