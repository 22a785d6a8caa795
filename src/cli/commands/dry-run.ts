import { WaybillError } from '../../model/errors.js';
import type { CommandContext } from '../context.js';
import type { BuiltRequest } from '../request/build.js';

/** `waybill pull --dry-run`. */
export function runDryRun(_context: CommandContext, _built: BuiltRequest): Promise<number> {
  return Promise.reject(new WaybillError('WB_UNSUPPORTED', '--dry-run is not built yet'));
}
