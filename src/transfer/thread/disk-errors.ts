/** Errors of the destination's file system, translated. */
import { WaybillError, type ErrorCode } from '../../model/errors.js';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'WB_NO_SPACE',
  EDQUOT: 'WB_NO_SPACE',
  EROFS: 'WB_NO_SPACE',
  EFBIG: 'WB_NO_SPACE',
  EIO: 'WB_DESTINATION_FAILED',
  ESTALE: 'WB_DESTINATION_FAILED',
  ENODEV: 'WB_DESTINATION_FAILED',
  ETIMEDOUT: 'WB_DESTINATION_FAILED',
  EMFILE: 'WB_DESTINATION_FAILED',
  ENFILE: 'WB_DESTINATION_FAILED',
};

/**
 * Translates an error of a file call on the destination. EACCES and EPERM become WB_PERMISSION_DENIED with
 * destination scope; a name that the file system does not take becomes WB_UNSAFE_PATH.
 */
export function diskError(error: unknown, operation: string): WaybillError {
  if (error instanceof WaybillError) return error;
  const errno = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  const message = error instanceof Error ? error.message : String(error);
  const context = { operation, cause: error };
  const code = CODES[errno];
  if (code) return new WaybillError(code, `${operation} failed at the destination: ${message}`, context);
  if (errno === 'EACCES' || errno === 'EPERM') {
    return new WaybillError('WB_PERMISSION_DENIED', `the destination may not be written: ${message}`, {
      ...context,
      scope: 'destination',
    });
  }
  if (errno === 'ENAMETOOLONG' || errno === 'EILSEQ' || errno === 'EINVAL') {
    return new WaybillError('WB_UNSAFE_PATH', `the destination does not take this name: ${message}`, context);
  }
  if (errno === 'EISDIR' || errno === 'ENOTDIR' || errno === 'EEXIST' || errno === 'ENOTEMPTY') {
    return new WaybillError('WB_CONFLICT', `something is in the way at the destination: ${message}`, {
      ...context,
      scope: 'file',
    });
  }
  return new WaybillError('WB_UNEXPECTED', `${operation} failed at the destination: ${message}`, context);
}
