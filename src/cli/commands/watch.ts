import { WaybillError } from '../../model/errors.js';

/** `waybill watch`. */
export function runWatch(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill watch is not built yet'));
}
