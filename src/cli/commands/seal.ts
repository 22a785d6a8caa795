import { WaybillError } from '../../model/errors.js';

/** `waybill seal`. */
export function runSeal(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill seal is not built yet'));
}
