/** The JSON Schema files that ship in the package, made from the schemas beside this file. */
import * as z from 'zod';
import { documents, shown } from './documents.js';
import { events } from './events.js';

/** The schema file of a command, without `.json`; `config` is `config show`. */
const FILE_OF: Readonly<Record<string, string>> = {
  pull: 'events',
  watch: 'events',
  pause: 'steer',
  resume: 'steer',
  cancel: 'steer',
  retry: 'steer',
  tune: 'steer',
  config: 'config-show',
};

/** The schema file that describes what a command prints with `--json`. */
export function schemaFileOf(command: string): string {
  return FILE_OF[command] ?? (Object.hasOwn(documents, command) ? command : 'events');
}

const ABOUT = 'New fields may be added; a changed or a removed one gets a new file.';

function titleOf(name: string): string {
  if (name === 'events') return 'One line of `waybill pull --json` or `waybill watch --json`';
  if (name === 'steer') return 'What `waybill pause|resume|cancel|retry|tune --json` prints';
  return `A line of \`waybill ${name.replace('-', ' ')} --json\``;
}

/** File name to schema, draft 7. */
export function schemaFiles(): Readonly<Record<string, object>> {
  const all: Readonly<Record<string, z.ZodUnion>> = { events, ...documents };
  return Object.fromEntries(
    Object.entries(all).map(([name, schema]) => {
      // As an input: a reader lets fields pass that a later version adds.
      const { $schema, ...made } = z.toJSONSchema(z.union([...schema.options, shown]), {
        target: 'draft-7',
        io: 'input',
      });
      const $id = `https://waybill.invalid/schema/${name}-v1.json`;
      return [`${name}.json`, { $schema, $id, title: titleOf(name), description: ABOUT, ...made }];
    }),
  );
}
