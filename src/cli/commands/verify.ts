import { WaybillError } from '../../model/errors.js';

/** `waybill verify`. */
export function runVerify(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill verify is not built yet'));
}
