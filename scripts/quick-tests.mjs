// Prints the compiled tests for the loop while developing, one a line: what `npm run test:quick` runs. They start no
// server of a store, and none of them waits long for something to be killed, missed or timed out.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const tests = fileURLToPath(new URL('../dist/test', import.meta.url));
const SLOW_HELPERS = [
  ...['minio', 'mlflow', 'nginx', 'apache', 'model-signing', 'python-http'],
  ...['faultfs', 'mount', 'realnfs'],
].map((name) => join(tests, 'helpers', `${name}.js`));

/** Tests that take most of a minute by themselves, wherever they are. */
const LONG = [
  'workflows/pull',
  'workflows/steer',
  'workflows/survival',
  'workflows/sizes',
  'service/service',
  'service/real-worker',
  'service/temporal-cli',
  'transfer/resume',
  'docs/docs',
  'house/launcher',
  'house/rooms',
].map((name) => join(tests, `${name}.test.js`));

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
  const isLong = LONG.includes(file) || file.startsWith(join(tests, 'e2e'));
  if (entry.name.endsWith('.test.js') && !isLong && !isSlow(file)) console.log(file);
}
