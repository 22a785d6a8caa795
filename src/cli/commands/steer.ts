import { WaybillError } from '../../model/errors.js';
import type { CommandFunction } from '../context.js';

/** `waybill pause|resume|cancel|retry`. */
export function steer(verb: 'pause' | 'resume' | 'cancel' | 'retry'): CommandFunction {
  return () =>
    Promise.reject(new WaybillError('WB_UNSUPPORTED', `waybill ${verb} is not built yet`));
}
