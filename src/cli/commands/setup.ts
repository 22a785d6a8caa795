import { WaybillError } from '../../model/errors.js';

/** `waybill setup`. */
export function runSetup(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill setup is not built yet'));
}
