/** The worker of the local service does nothing that the owner of the state folder has not signed (rule 1). */
import type { Context } from '@temporalio/activity';
import { WaybillError } from '../model/errors.js';
import { isUnsigned } from '../model/unsigned.js';
import { toFailure } from './failures.js';

/** As far as it is used here, the SDK's interceptor of activities: the room does not know the worker's package. */
interface Guard {
  inbound: {
    execute<I extends { args: unknown[] }>(
      input: I,
      next: (input: I) => Promise<unknown>,
    ): Promise<unknown>;
  };
}

/** Stands before every activity: an input without signature fails it for good. */
export function refuseUnsigned(_context: Context): Guard {
  return {
    inbound: {
      execute: (input, next) => {
        if (input.args.length > 0 && !input.args.some(isUnsigned)) return next(input);
        const error = new WaybillError(
          'WB_PERMISSION_DENIED',
          'this work is refused: it was not signed by Waybill',
          { scope: 'request', retryable: false },
        );
        const tries = { withoutProgress: 1, withWrongBytes: 0 };
        const facts = { tries, hasProgressed: false, isProbe: false, isShared: false };
        return Promise.reject(toFailure(error, facts));
      },
    },
  };
}
