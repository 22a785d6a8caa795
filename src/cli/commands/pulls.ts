import { WaybillError } from '../../model/errors.js';

/** `waybill pulls`. */
export function runPulls(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill pulls is not built yet'));
}
