import { WaybillError } from '../../model/errors.js';

/** `waybill up`. */
export function runUp(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill up is not built yet'));
}

/** `waybill down`. */
export function runDown(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill down is not built yet'));
}
