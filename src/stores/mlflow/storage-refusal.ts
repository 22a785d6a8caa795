/**
 * A server whose own storage refuses it. MLflow answers status 500 for that, with the words of the library that it reads the storage
 * with: tried again it would fail again, and whoever pulls cannot help it.
 */
import type { FailedAnswer } from './errors.js';

/** The storage knows who asks, and does not let it. */
const FORBIDDEN = new RegExp(
  [
    // Disks and SFTP, FTP.
    '\\[Errno (?:1|13)\\]',
    'Permission denied',
    'Operation not permitted',
    // S3 and its kin.
    'AccessDenied',
    'Access Denied',
    'AllAccessDisabled',
    // Azure.
    'AuthorizationFailure',
    'AuthorizationPermissionMismatch',
    'InsufficientAccountPermissions',
    'not authorized to perform this operation',
    // Google.
    'does not have storage\\.[\\w.]+ access',
    // Of all that speak HTTP.
    '\\(403\\)',
    '^403\\b',
  ].join('|'),
  'im',
);

/** The storage does not take what the server signs in with. */
const UNKNOWN = new RegExp(
  [
    '^530\\b',
    'InvalidAccessKeyId',
    'SignatureDoesNotMatch',
    'ExpiredToken',
    'Unable to locate credentials',
    'AuthenticationFailed',
    'NoAuthenticationInformation',
    'Anonymous caller',
    'default credentials were not found',
    'Authentication failed',
    '\\(401\\)',
    '^401\\b',
  ].join('|'),
  'im',
);

/** What MLflow writes before the words of its storage: the address of its root, and the file. */
const FAILED_FILE =
  /failures occurred while downloading[\s\S]*##### File [\s\S]* #####\s*([\s\S]+)$/;

/** What the storage behind MLflow said, without the root's address; undefined: this is no such answer. */
export function wordsOfStorage(
  { status, text }: Pick<FailedAnswer, 'status' | 'text'>,
  path: string,
): string | undefined {
  if (status !== 500) return undefined;
  let message: unknown;
  try {
    message = (JSON.parse(text) as { message?: unknown } | null)?.message;
  } catch {
    return undefined;
  }
  if (typeof message !== 'string') return undefined;
  const words = FAILED_FILE.exec(message)?.[1]?.trim();
  // A name is no word of the storage, whatever it says.
  return refusalIn(path) === undefined ? words : words?.replaceAll(path, '...');
}

/** How the storage refuses the server, as the end of `storage ...`; undefined: it does not. */
export function refusalIn(words: string): 'does not let it' | 'does not know it' | undefined {
  if (UNKNOWN.test(words)) return 'does not know it';
  return FORBIDDEN.test(words) ? 'does not let it' : undefined;
}
