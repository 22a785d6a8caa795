// Prints the compiled tests that start no server but Temporal, one a line: what `npm run test:quick` runs.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const tests = fileURLToPath(new URL('../dist/test', import.meta.url));
const SLOW_HELPERS = ['minio', 'mlflow', 'nginx', 'apache', 'model-signing', 'python-http'].map(
  (name) => join(tests, 'helpers', `${name}.js`),
);

function imports(file) {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?'(\.[^']+)'/gu)].map(([, path]) =>
    resolve(dirname(file), path),
  );
}

function isSlow(file, seen = new Set()) {
  if (SLOW_HELPERS.includes(file)) return true;
  if (seen.has(file) || !file.startsWith(tests) || !existsSync(file)) return false;
  seen.add(file);
  return imports(file).some((path) => isSlow(path, seen));
}

for (const entry of readdirSync(tests, { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath, entry.name);
  const isEndToEnd = file.startsWith(join(tests, 'e2e'));
  if (entry.name.endsWith('.test.js') && !isEndToEnd && !isSlow(file)) console.log(file);
}
