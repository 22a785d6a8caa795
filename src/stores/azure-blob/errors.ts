/** The one place that knows the error codes of Azure's blob service. */
import { WaybillError } from '../../model/errors.js';
import { errorTextOf } from '../lib/error-text.js';
import { errorOfStatus } from '../lib/http-errors.js';
import type { Circumstances } from '../lib/http-errors.js';
import { cutRefusal, errorOfRow, SOURCE, notTheService } from '../lib/service-errors.js';
import type { ErrorRow, FailedAnswer } from '../lib/service-errors.js';
import { accountOfHost } from './address.js';
import type { AzureConfig } from './config.js';
import type { Chosen, Credential } from './credentials.js';

/** What was asked of which container, and with what. */
export interface Asked extends Circumstances {
  readonly isListing: boolean;
  readonly chosen: Chosen;
}

const ARCHIVED =
  'keeps it in the archive tier: bring it back first (az storage blob set-tier --tier Hot; it takes hours), then run the same command';

/** https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes, and the common ones. */
const ROWS: Readonly<Record<string, ErrorRow>> = {
  ContainerNotFound: [
    'WB_NOT_FOUND',
    'has no such container: check its name and the account',
    SOURCE,
  ],
  ContainerBeingDeleted: ['WB_NOT_FOUND', 'is deleting the container', SOURCE],
  ContainerDisabled: ['WB_PERMISSION_DENIED', 'has closed the container', SOURCE],
  BlobNotFound: ['WB_NOT_FOUND', 'does not have it'],
  ResourceNotFound: [
    'WB_NOT_FOUND',
    'has nothing there: check the names of the account and the container',
    SOURCE,
  ],
  AccountIsDisabled: ['WB_PERMISSION_DENIED', 'has disabled the account', SOURCE],
  AccountBeingCreated: ['WB_UNAVAILABLE', 'is still creating the account'],
  BlobArchived: ['WB_PERMISSION_DENIED', ARCHIVED],
  BlobBeingRehydrated: [
    'WB_PERMISSION_DENIED',
    'is bringing it back from the archive tier: run the same command when it is there',
  ],
  BlobUsesCustomerSpecifiedEncryption: [
    'WB_UNSUPPORTED',
    'has it encrypted with a key of its writer, which Waybill cannot send',
    { scope: 'file' },
  ],
  KeyBasedAuthenticationNotPermitted: [
    'WB_PERMISSION_DENIED',
    'takes no account keys: unset it and sign in (az login)',
    SOURCE,
  ],
  ConditionNotMet: ['WB_SOURCE_CHANGED', 'has another version of it by now'],
  TargetConditionNotMet: ['WB_SOURCE_CHANGED', 'has another version of it by now'],
  InvalidRange: ['WB_SIZE_MISMATCH', 'says that it is shorter than the range asked for'],
  ServerBusy: ['WB_RATE_LIMITED', 'asks for fewer requests'],
  TooManyRequests: ['WB_RATE_LIMITED', 'asks for fewer requests'],
  OperationTimedOut: ['WB_TIMEOUT', 'gave up waiting'],
  InternalError: ['WB_UNAVAILABLE', 'failed'],
  InvalidResourceName: ['WB_UNSUPPORTED', 'does not take the name', { scope: 'file' }],
  InvalidUri: ['WB_UNSUPPORTED', 'does not take the name', { scope: 'file' }],
};

/** Codes that are about who asks. What they mean depends on what was asked with. */
const ABOUT_SIGN_IN = new Set([
  'AuthenticationFailed',
  'AuthorizationFailure',
  'AuthorizationPermissionMismatch',
  'AuthorizationProtocolMismatch',
  'AuthorizationResourceTypeMismatch',
  'AuthorizationServiceMismatch',
  'AuthorizationSourceIPMismatch',
  'InsufficientAccountPermissions',
  'InvalidAuthenticationInfo',
  'NoAuthenticationInformation',
  'PublicAccessNotPermitted',
  'UnauthorizedBlobOverwrite',
]);

/** What a status alone says; the rest is left to the HTTP table. */
const CODE_OF_STATUS: Readonly<Record<number, string>> = {
  412: 'ConditionNotMet',
  416: 'InvalidRange',
  429: 'TooManyRequests',
};

/** The code, which stands in a header of every answer, to HEAD too, and in the body. */
export function azureCodeOf({ headers, body, status }: FailedAnswer): string | undefined {
  return (
    headers['x-ms-error-code'] ??
    /<Code>([^<]{1,100})<\/Code>/.exec(body)?.[1]?.trim() ??
    CODE_OF_STATUS[status]
  );
}

/** The reason for a refused signature, which stands in an element of its own. */
export function detailOf(body: string): string {
  const text = /<AuthenticationErrorDetail>([^<]{1,2000})</.exec(body)?.[1]?.trim() ?? '';
  // The string to sign is of use to nobody who did not write the signature.
  return text
    .replace(/\s+/g, ' ')
    .replace(/\bString to sign.*$/i, '')
    .slice(0, 200)
    .trim();
}

/** The error of an answer. */
export function errorOfAnswer(answer: FailedAnswer, asked: Asked): WaybillError {
  const code = azureCodeOf(answer);
  const said = saidBy(answer);
  const row = code === undefined ? undefined : rowOf(code, said, asked);
  if (row === undefined) {
    const cut = code === undefined ? cutRefusal(answer, asked) : undefined;
    if (cut !== undefined) return cut;
    if (code === undefined && answer.status === 404 && answer.body !== '') return notAzure(asked);
    const text = code === undefined ? said : `${code}${said === '' ? '' : `: ${said}`}`;
    return errorOfStatus({ status: answer.status, headers: answer.headers, text }, asked);
  }
  const stated = code ?? `HTTP ${answer.status}`;
  const reason = said === '' ? stated : `${stated}: ${said}`;
  return errorOfRow(row, answer.headers, reason, asked);
}

/** Of an account that is not there, only its host name is missing: the error of that says which account, and where it is named. */
export function withAccount(
  error: unknown,
  { account, accountFrom, endpoint }: Pick<AzureConfig, 'account' | 'accountFrom' | 'endpoint'>,
): unknown {
  const isUnknown = error instanceof WaybillError && error.message.includes('(ENOTFOUND)');
  if (!isUnknown || accountOfHost(endpoint.hostname)?.account !== account) return error;
  const { code, operation = 'connect', path, scope, retryable } = error;
  return new WaybillError(
    code,
    `${error.message}: there may be no storage account ${account}; check its name in ${accountFrom} (az storage account list)`,
    {
      ...{ operation, store: 'azure-blob', scope, retryable, cause: error },
      ...(path === undefined ? {} : { path }),
    },
  );
}

/** The service answered, but not as Azure's blob service does. */
export function notAzure(asked: Asked): WaybillError {
  return notTheService(asked, 'a blob service does: check the endpoint');
}

function saidBy({ body }: FailedAnswer): string {
  // The service adds the request's id and the time on lines of their own.
  const message = errorTextOf(body)
    .replace(/\s*\bRequestId:.*$/s, '')
    .trim();
  const detail = detailOf(body);
  return detail === '' ? message : `${message}${message === '' ? '' : ' '}${detail}`;
}

function rowOf(code: string, said: string, asked: Asked): ErrorRow | undefined {
  const { credential, passedOver } = asked.chosen;
  if (credential.kind === 'none' && code === 'ResourceNotFound') {
    // The answer to whoever has no right to know whether a container exists.
    return [
      'WB_UNAUTHENTICATED',
      `is not public, or does not exist; ${howToSignIn(credential)}`,
      SOURCE,
    ];
  }
  if (!ABOUT_SIGN_IN.has(code)) return ROWS[code];
  const isForged = /failed to authenticate|signature|not in the correct format/i.test(said);
  const isUnknown =
    /^(AuthenticationFailed|InvalidAuthenticationInfo|NoAuthenticationInformation|PublicAccessNotPermitted)$/.test(
      code,
    ) ||
    credential.kind === 'none' ||
    (code === 'AuthorizationFailure' && isForged);
  const other = passedOver.length === 0 ? '' : `; ${passedOver.join('; ')}`;
  if (isUnknown) {
    const what =
      credential.kind === 'none' ? 'wants a sign-in' : `does not accept ${credential.from}`;
    return ['WB_UNAUTHENTICATED', `${what}: ${howToSignIn(credential)}${other}`, SOURCE];
  }
  return ['WB_PERMISSION_DENIED', `${denied(asked)}${other}`, asked.isListing ? SOURCE : {}];
}

function howToSignIn({ kind, from }: Credential): string {
  switch (kind) {
    case 'key':
      return `set ${from} to a key of this account (az storage account keys list), and check the clock of this machine`;
    case 'sas':
      return `it may have ended, or be for another container: get a new one with sp=rl for ${from}`;
    case 'token':
      return 'sign in again (az login), or set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN';
    case 'none':
      return 'unset AZURE_STORAGE_ANON, and set AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or sign in (az login)';
  }
}

function denied({ isListing, chosen: { credential } }: Asked): string {
  const what = isListing ? 'denies listing' : 'denies reading';
  switch (credential.kind) {
    case 'sas':
      return `${what} with ${credential.from}: it needs ${isListing ? 'sp=rl, sr=c (srt=co)' : 'sp=r (srt=o)'}, and the network of the account must let you in`;
    case 'token':
      return `${what} to the identity that asks: give it the role Storage Blob Data Reader, and check the network rules of the account`;
    case 'key':
    case 'none':
      return `${what}: check the network rules of the account (its firewall)`;
  }
}
