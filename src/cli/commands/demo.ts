import { WaybillError } from '../../model/errors.js';

/** `waybill demo`. */
export function runDemo(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill demo is not built yet'));
}
