// Writes the table of the stores into README.md from what each store says of itself: `npm run stores`.
import { readFileSync, writeFileSync } from 'node:fs';
import { storeTable } from '../dist/src/cli/store-table.js';
import { STORE_FACTORIES } from '../dist/src/stores/index.js';

const path = new URL('../README.md', import.meta.url);
const MARKED = /(<!-- stores: npm run stores -->\n\n)[\s\S]*?(\n\n<!-- \/stores -->)/;
const readme = readFileSync(path, 'utf8');
if (!MARKED.test(readme)) throw new Error('README.md has no place for the table of the stores');
writeFileSync(
  path,
  readme.replace(MARKED, (_, before, after) => before + storeTable(STORE_FACTORIES) + after),
);
