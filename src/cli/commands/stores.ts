/** `waybill stores`: what can be read, how its addresses look, and what each store can prove. */
import { STORE_FACTORIES } from '../../stores/index.js';
import type { CommandContext } from '../context.js';
import { factLines } from '../store-table.js';
import { formatColumns } from '../table.js';

const SEALED =
  'What `waybill seal` sealed, or a SHA256SUMS at the root lists, reaches `published` from every store, and what --expect names `digest`.';

/** Prints every store with the forms of its addresses and its facts. */
export function runStores({ output }: CommandContext): Promise<number> {
  if (output.isJson) {
    output.jsonResult({
      stores: STORE_FACTORIES.map(({ name, schemes, summary, forms, facts, environment }) => ({
        name,
        schemes,
        summary,
        forms,
        auth: facts.auth,
        ranges: facts.ranges,
        pin: facts.pin,
        digests: facts.digests,
        levels: { weakest: facts.levels[0], strongest: facts.levels[1] },
        environment: [...environment.settings, ...environment.secrets],
      })),
    });
    return Promise.resolve(0);
  }
  const stores = STORE_FACTORIES.map((factory) => {
    const rows = [
      ...factory.forms.map((form, index) => [index === 0 ? '  forms' : '', form]),
      ...factLines(factory).map(([label, words]) => [`  ${label}`, words]),
    ];
    return `${factory.name}: ${factory.summary}\n${formatColumns(rows)}`;
  });
  output.result([...stores, SEALED].join('\n\n'));
  return Promise.resolve(0);
}
