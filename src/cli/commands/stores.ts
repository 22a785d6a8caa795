/** `waybill stores`: what can be read, and how its addresses look. */
import { STORE_FACTORIES } from '../../stores/index.js';
import type { CommandContext } from '../context.js';
import { formatColumns } from '../table.js';

/** Prints every store with the forms of its addresses. */
export function runStores({ output }: CommandContext): Promise<number> {
  if (output.isJson) {
    output.jsonResult({
      stores: STORE_FACTORIES.map(({ name, schemes, summary, forms, environment }) => ({
        name,
        schemes,
        summary,
        forms,
        environment: [...environment.settings, ...environment.secrets],
      })),
    });
    return Promise.resolve(0);
  }
  const rows = STORE_FACTORIES.flatMap(({ name, summary, forms }) => [
    [name, summary],
    ...forms.map((form) => ['', `  ${form}`]),
  ]);
  output.result(formatColumns(rows));
  return Promise.resolve(0);
}
