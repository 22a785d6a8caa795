import { WaybillError } from '../../model/errors.js';

/** `waybill ls`. */
export function runLs(): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', 'waybill ls is not built yet'));
}
