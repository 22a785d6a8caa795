/** What is wrong with the configuration of Hadoop, or with what says who asks. */
import { WaybillError } from '../../model/errors.js';

/** WB_CONFIG_INVALID. */
export function invalid(message: string, cause?: unknown): WaybillError {
  return new WaybillError('WB_CONFIG_INVALID', message, {
    operation: 'open',
    store: 'hdfs',
    ...(cause === undefined ? {} : { cause }),
  });
}
