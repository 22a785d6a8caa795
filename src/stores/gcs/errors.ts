/** The one place that knows what Cloud Storage answers instead of an object. */
import * as z from 'zod';
import { WaybillError } from '../../model/errors.js';
import { errorTextOf } from '../lib/error-text.js';
import { errorOfStatus } from '../lib/http-errors.js';
import type { Circumstances } from '../lib/http-errors.js';
import { cutRefusal, errorOfRow, SOURCE, notTheService } from '../lib/service-errors.js';
import type { ErrorRow, FailedAnswer } from '../lib/service-errors.js';
import type { Access } from './credentials.js';

/** What was asked of which bucket, and as whom. */
export interface Asked extends Circumstances {
  readonly isListing: boolean;
  /** Absent: it is not known yet. */
  readonly access?: Access;
}

const SLOWER: ErrorRow = ['WB_RATE_LIMITED', 'asks for fewer requests'];
const PAYER: ErrorRow = [
  'WB_PERMISSION_DENIED',
  'wants whoever reads to pay: set GOOGLE_CLOUD_QUOTA_PROJECT to a project of yours',
  SOURCE,
];

/** By Google's own word for it. https://cloud.google.com/storage/docs/json_api/v1/status-codes */
const BY_REASON: Readonly<Record<string, ErrorRow>> = {
  rateLimitExceeded: SLOWER,
  userRateLimitExceeded: SLOWER,
  quotaExceeded: SLOWER,
  userProjectMissing: PAYER,
  userProjectAccessDenied: PAYER,
  userProjectAccountProblem: PAYER,
  accountDisabled: ['WB_PERMISSION_DENIED', 'says that the account is disabled', SOURCE],
  countryBlocked: ['WB_PERMISSION_DENIED', 'does not serve this country', SOURCE],
  insufficientPermissions: [
    'WB_PERMISSION_DENIED',
    'refuses a token that was made for other services: sign in with the scope devstorage.read_only',
    SOURCE,
  ],
  resourceIsEncryptedWithCustomerEncryptionKey: [
    'WB_UNSUPPORTED',
    'has it under a key of its owner (CSEK), which Waybill cannot send',
    { scope: 'file', retryable: false },
  ],
  conditionNotMet: ['WB_SOURCE_CHANGED', 'has another version of it by now'],
  requestedRangeNotSatisfiable: [
    'WB_SIZE_MISMATCH',
    'says that it is shorter than the range asked for',
  ],
};

/** What the status means where no word is known. */
const BY_STATUS: Readonly<Record<number, ErrorRow>> = {
  412: ['WB_SOURCE_CHANGED', 'has another version of it by now'],
  416: ['WB_SIZE_MISMATCH', 'says that it is shorter than the range asked for'],
  429: SLOWER,
};

const ErrorBody = z.object({
  error: z.object({
    errors: z.array(z.object({ reason: z.string().optional() })).optional(),
  }),
});

/** Google's word in an error's body; undefined: it has none. */
export function reasonOf({ body }: FailedAnswer): string | undefined {
  try {
    return ErrorBody.parse(JSON.parse(body)).error.errors?.[0]?.reason;
  } catch {
    return undefined;
  }
}

/** Whether an answer says that the whole bucket is missing; undefined: it says only that something is. */
export function saysBucketIsMissing({ body }: FailedAnswer): boolean | undefined {
  if (/specified bucket does not exist|NoSuchBucket/i.test(body)) return true;
  return /no such object|NoSuchKey/i.test(body) ? false : undefined;
}

/** The error of an answer. */
export function errorOfAnswer(answer: FailedAnswer, asked: Asked): WaybillError {
  const text = errorTextOf(answer.body);
  const reason = reasonOf(answer);
  // What a 403 means is in its words alone.
  const cut = answer.status === 403 && reason === undefined ? cutRefusal(answer, asked) : undefined;
  if (cut !== undefined) return cut;
  const row = rowOf(answer, reason, asked);
  if (row === undefined) {
    return errorOfStatus({ status: answer.status, headers: answer.headers, text }, asked);
  }
  const stated = [`HTTP ${answer.status}`, ...(reason === undefined ? [] : [reason])].join(' ');
  const said = text === '' ? stated : `${stated}: ${text}`;
  return errorOfRow(row, answer.headers, said, asked);
}

function rowOf(
  { status, body }: FailedAnswer,
  reason: string | undefined,
  asked: Asked,
): ErrorRow | undefined {
  if (/requester pays/i.test(body)) return PAYER;
  if (/customer-supplied encryption key|encrypted by a customer/i.test(body)) {
    return BY_REASON['resourceIsEncryptedWithCustomerEncryptionKey'];
  }
  const known = BY_REASON[reason ?? ''] ?? BY_STATUS[status];
  if (known !== undefined) return known;
  // A gateway's 503 comes with a page of its own; Google's own means that too much is asked for.
  if (status === 503 && (body === '' || reason !== undefined)) return SLOWER;
  if (status === 401) return refusedSignIn(asked);
  return status === 403 ? refusedAccess(asked) : undefined;
}

function refusedSignIn({ access, isListing }: Asked): ErrorRow {
  if (access === undefined || access.isAnonymous) {
    return [
      'WB_UNAUTHENTICATED',
      `denies access without a sign-in: it is not public, or does not exist; ${access?.remedy ?? SIGN_IN}`,
      isListing ? SOURCE : {},
    ];
  }
  return [
    'WB_UNAUTHENTICATED',
    `does not accept the token of ${access.who}: ${access.remedy}`,
    SOURCE,
  ];
}

/** What makes a sign-in, for messages. */
export const SIGN_IN =
  'run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account';

function refusedAccess(asked: Asked): ErrorRow {
  // A private bucket answers some requests without a sign-in so.
  if (asked.access?.isAnonymous !== false) return refusedSignIn(asked);
  const { who } = asked.access;
  return asked.isListing
    ? [
        'WB_PERMISSION_DENIED',
        `denies ${who} the listing: ask for storage.objects.list (role Storage Object Viewer)`,
        SOURCE,
      ]
    : [
        'WB_PERMISSION_DENIED',
        `denies ${who} the reading: ask for storage.objects.get (role Storage Object Viewer)`,
        { scope: 'file' },
      ];
}

/** The bucket itself is missing. */
export function noBucket(bucket: string, asked: Asked): WaybillError {
  return new WaybillError(
    'WB_NOT_FOUND',
    `${asked.address} has no bucket ${bucket}: check its name, and whether this is the right service`,
    {
      operation: asked.operation,
      store: asked.store,
      ...(asked.path === undefined ? {} : { path: asked.path }),
      ...SOURCE,
    },
  );
}

/** The service answered, but not as Cloud Storage does. */
export function notGcs(asked: Asked, variable: string | undefined): WaybillError {
  const check = variable === undefined ? 'is a proxy or a portal in the way?' : `check ${variable}`;
  return notTheService(asked, `Cloud Storage does: ${check}`);
}
