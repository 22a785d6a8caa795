import { WaybillError } from '../../model/errors.js';

/** `waybill worker`. */
export function runWorker(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill worker is not built yet'));
}
