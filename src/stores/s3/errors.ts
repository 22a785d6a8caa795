/** The one place that knows the error codes of S3 and its kin. */
import type { WaybillError } from '../../model/errors.js';
import { errorTextOf } from '../lib/error-text.js';
import { errorOfStatus } from '../lib/http-errors.js';
import type { Circumstances } from '../lib/http-errors.js';
import { cutRefusal, errorOfRow, FINAL, SOURCE, notTheService } from '../lib/service-errors.js';
import type { ErrorRow, FailedAnswer } from '../lib/service-errors.js';

/** What was asked of which bucket. */
export interface Asked extends Circumstances {
  readonly isListing: boolean;
  readonly isAnonymous: boolean;
}

const SIGN_IN = 'check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile';
const RENEW = 'the temporary credentials have ended: sign in again (aws sso login) or set new ones';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList */
const ROWS: Readonly<Record<string, ErrorRow>> = {
  NoSuchBucket: ['WB_NOT_FOUND', 'has no such bucket: check its name and the endpoint', SOURCE],
  NoSuchKey: ['WB_NOT_FOUND', 'does not have it'],
  NoSuchVersion: ['WB_NOT_FOUND', 'does not have this version of it'],
  MethodNotAllowed: ['WB_NOT_FOUND', 'has only a delete marker there'],
  InvalidBucketName: ['WB_USAGE', 'says that this is no name of a bucket'],
  AccessDenied: ['WB_PERMISSION_DENIED', 'denies access'],
  AllAccessDisabled: ['WB_PERMISSION_DENIED', 'has closed the bucket', SOURCE],
  AccountProblem: ['WB_PERMISSION_DENIED', 'has a problem with the account', SOURCE],
  NotSignedUp: ['WB_PERMISSION_DENIED', 'has a problem with the account', SOURCE],
  InvalidObjectState: [
    'WB_PERMISSION_DENIED',
    'keeps it in an archive (Glacier): restore it first, then run the same command',
  ],
  InvalidAccessKeyId: ['WB_UNAUTHENTICATED', `does not know the access key: ${SIGN_IN}`, SOURCE],
  SignatureDoesNotMatch: [
    'WB_UNAUTHENTICATED',
    `does not accept the secret key: ${SIGN_IN}`,
    SOURCE,
  ],
  AuthorizationHeaderMalformed: [
    'WB_UNAUTHENTICATED',
    `does not accept the signature: ${SIGN_IN}, and AWS_REGION`,
    SOURCE,
  ],
  ExpiredToken: ['WB_UNAUTHENTICATED', RENEW, SOURCE],
  TokenRefreshRequired: ['WB_UNAUTHENTICATED', RENEW, SOURCE],
  InvalidToken: [
    'WB_UNAUTHENTICATED',
    'does not accept AWS_SESSION_TOKEN: unset it, or sign in again',
    SOURCE,
  ],
  InvalidTokenId: [
    'WB_UNAUTHENTICATED',
    'does not accept AWS_SESSION_TOKEN: unset it, or sign in again',
    SOURCE,
  ],
  RequestTimeTooSkewed: [
    'WB_UNAUTHENTICATED',
    'has another time: set the clock of this machine',
    SOURCE,
  ],
  RequestExpired: ['WB_UNAUTHENTICATED', 'has another time: set the clock of this machine', SOURCE],
  SlowDown: ['WB_RATE_LIMITED', 'asks for fewer requests'],
  ServiceUnavailable: ['WB_RATE_LIMITED', 'asks for fewer requests'],
  RequestLimitExceeded: ['WB_RATE_LIMITED', 'asks for fewer requests'],
  Throttling: ['WB_RATE_LIMITED', 'asks for fewer requests'],
  ThrottlingException: ['WB_RATE_LIMITED', 'asks for fewer requests'],
  TooManyRequests: ['WB_RATE_LIMITED', 'asks for fewer requests'],
  RequestTimeout: ['WB_TIMEOUT', 'gave up waiting'],
  PermanentRedirect: [
    'WB_CONFIG_INVALID',
    'has the bucket elsewhere: set AWS_REGION to its region',
    FINAL,
  ],
  TemporaryRedirect: [
    'WB_CONFIG_INVALID',
    'has the bucket elsewhere: set AWS_REGION to its region',
    FINAL,
  ],
  IllegalLocationConstraintException: [
    'WB_CONFIG_INVALID',
    'has the bucket elsewhere: set AWS_REGION to its region',
    FINAL,
  ],
  InvalidRange: ['WB_SIZE_MISMATCH', 'says that it is shorter than the range asked for'],
  PreconditionFailed: ['WB_SOURCE_CHANGED', 'has another version of it by now'],
  NotImplemented: ['WB_UNSUPPORTED', 'does not have this call', FINAL],
  InvalidRequest: ['WB_UNSUPPORTED', 'refuses the request', { scope: 'file', retryable: false }],
};

/** What a status alone says, as in an answer to HEAD; the rest is left to the HTTP table. */
const CODE_OF_STATUS: Readonly<Record<number, string>> = {
  301: 'PermanentRedirect',
  307: 'TemporaryRedirect',
  405: 'MethodNotAllowed',
  412: 'PreconditionFailed',
  416: 'InvalidRange',
  429: 'TooManyRequests',
  503: 'SlowDown',
};

/** The code in an error's body, or in the header in which MinIO repeats it for HEAD. */
export function s3CodeOf(answer: FailedAnswer): string | undefined {
  return (
    elementOf(answer.body, 'Code') ??
    answer.headers['x-minio-error-code'] ??
    // A gateway's 503 comes with a page of its own; S3's own 503 means too many requests.
    (answer.status === 503 && answer.body !== '' ? undefined : CODE_OF_STATUS[answer.status])
  );
}

/** The text of an element of an error's body. */
export function elementOf(xml: string, element: string): string | undefined {
  const text = new RegExp(`<${element}>([^<]{1,200})</${element}>`).exec(xml)?.[1]?.trim();
  return text === '' ? undefined : text;
}

/** The error of an answer. */
export function errorOfAnswer(answer: FailedAnswer, asked: Asked): WaybillError {
  const code = s3CodeOf(answer);
  const said = errorTextOf(answer.body);
  const row =
    code === undefined ? undefined : (ROWS[code] ?? (code.startsWith('KMS.') ? KMS : undefined));
  if (row === undefined) {
    const cut = code === undefined ? cutRefusal(answer, asked) : undefined;
    if (cut !== undefined) return cut;
    if (answer.status === 404 && code === undefined && answer.body !== '') return notS3(asked);
    const text = code === undefined ? said : `${code}${said === '' ? '' : `: ${said}`}`;
    return errorOfStatus({ status: answer.status, headers: answer.headers, text }, asked);
  }
  const stated = elementOf(answer.body, 'Code') ?? `HTTP ${answer.status}`;
  const reason = said === '' ? stated : `${stated}: ${said}`;
  return errorOfRow(refine(row, asked), answer.headers, reason, asked);
}

const KMS: ErrorRow = ['WB_PERMISSION_DENIED', 'cannot decrypt it: ask for the use of its KMS key'];

/** The service answered, but not as an S3 service does. */
export function notS3(asked: Asked): WaybillError {
  return notTheService(asked, "an S3 service does: check the endpoint (a console's port?)");
}

function refine(row: ErrorRow, asked: Asked): ErrorRow {
  if (row[1] !== 'denies access') return row;
  if (asked.isAnonymous) {
    return [
      'WB_UNAUTHENTICATED',
      'denies access without a sign-in: it is not public, or does not exist; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
      asked.isListing ? SOURCE : {},
    ];
  }
  return asked.isListing
    ? ['WB_PERMISSION_DENIED', 'denies listing: ask for s3:ListBucket', SOURCE]
    : ['WB_PERMISSION_DENIED', 'denies reading: ask for s3:GetObject', { scope: 'file' }];
}
