// Writes the JSON Schema files of src/cli/schema from the compiled schemas beside them: `npm run schemas`.
import { writeFileSync } from 'node:fs';
import { schemaFiles } from '../dist/src/cli/schema/files.js';

for (const [name, schema] of Object.entries(schemaFiles())) {
  const path = new URL(`../src/cli/schema/${name}`, import.meta.url);
  writeFileSync(path, `${JSON.stringify(schema, null, 2)}\n`);
}
