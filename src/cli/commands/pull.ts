import { WaybillError } from '../../model/errors.js';

/** `waybill pull`. */
export function runPull(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill pull is not built yet'));
}
