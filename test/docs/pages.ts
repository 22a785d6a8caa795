import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** The pages for users, relative to the project, those of the stores too. Nobody follows decisions. */
export function pagesOfUsers(): string[] {
  const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  const stores = readdirSync(join(root, 'src/stores'), { withFileTypes: true })
    .map(({ name }) => `src/stores/${name}/README.md`)
    .filter((page) => existsSync(join(root, page)));
  return [
    'README.md',
    'CONTRIBUTING.md',
    ...docs.sort().map((name) => `docs/${name}`),
    ...stores.sort(),
  ];
}
