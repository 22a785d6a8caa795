import { WaybillError } from '../../model/errors.js';

/** `waybill status`. */
export function runStatus(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill status is not built yet'));
}
