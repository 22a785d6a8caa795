/** Temporal's errors, translated once. */
import { ServiceError, WorkflowNotFoundError, isGrpcServiceError } from '@temporalio/client';
import { WaybillError } from '../model/errors.js';

/** gRPC status numbers that are told apart. */
const DEADLINE_EXCEEDED = 4;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

/** What the SDK or a server says of a namespace that is not there. */
const NO_NAMESPACE = /Namespace (?:not found: '([^']+)'|(\S+) is not found)/;

function statusOf(error: unknown): number | undefined {
  if (isGrpcServiceError(error)) return error.code;
  if (error instanceof ServiceError) return statusOf(error.cause);
  return undefined;
}

function textOf(error: unknown): string {
  if (error instanceof ServiceError && error.cause instanceof Error) return error.cause.message;
  return error instanceof Error ? error.message : String(error);
}

/**
 * The WaybillError behind what a call to Temporal threw: WB_TEMPORAL_UNREACHABLE, WB_NOT_FOUND,
 * WB_UNAUTHENTICATED (Temporal's own sign-in) or WB_UNEXPECTED.
 * @param doing what was being done, for the message: `start the pull`
 */
export function translate(error: unknown, doing: string): WaybillError {
  if (error instanceof WaybillError) return error;
  const status = statusOf(error);
  const message = `cannot ${doing}: ${textOf(error)}`;
  const [, named, said] = NO_NAMESPACE.exec(textOf(error)) ?? [];
  const namespace = named ?? said;
  if (namespace !== undefined) {
    return new WaybillError(
      'WB_NOT_FOUND',
      `cannot ${doing}: this Temporal has no namespace "${namespace}"; make it with ` +
        `\`temporal operator namespace create -n ${namespace}\` (\`waybill doctor\` says it with the address), or ` +
        'correct TEMPORAL_NAMESPACE',
      { cause: error, scope: 'request' },
    );
  }
  if (error instanceof WorkflowNotFoundError || status === NOT_FOUND) {
    return new WaybillError('WB_NOT_FOUND', `cannot ${doing}: Temporal does not know this pull`, {
      cause: error,
      scope: 'request',
    });
  }
  if (status === UNAUTHENTICATED || status === PERMISSION_DENIED) {
    // A server tells a wrong key and a key without this right by the same status.
    const why = 'Temporal refused the sign-in: TEMPORAL_API_KEY or certificate, or its rights here';
    return new WaybillError('WB_UNAUTHENTICATED', `${message} (${why})`, {
      cause: error,
      scope: 'request',
    });
  }
  if (status === UNAVAILABLE || status === DEADLINE_EXCEEDED || error instanceof ServiceError) {
    return new WaybillError('WB_TEMPORAL_UNREACHABLE', message, { cause: error });
  }
  return new WaybillError('WB_UNEXPECTED', message, { cause: error });
}

/** Runs a call to Temporal and translates what it throws. */
export async function reach<T>(doing: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw translate(error, doing);
  }
}
