import { WaybillError } from '../../model/errors.js';

/** `waybill doctor`. */
export function runDoctor(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill doctor is not built yet'));
}
