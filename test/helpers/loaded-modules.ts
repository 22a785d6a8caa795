/** What a command loads: Node itself says which scripts it ran, and a bundled one says what it was made of. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runWaybill } from './waybill.js';

/** Above each module in a script that was put together stands where it came from. */
const MODULE = /^\/\/ ((?:dist|node_modules)\/\S+)$/gmu;

function modulesOf(url: string): readonly string[] {
  if (!url.includes('/dist/bundle/')) return [url];
  const text = readFileSync(fileURLToPath(url), 'utf8');
  return [...text.matchAll(MODULE)].map(([, path = '']) => path);
}

/** The modules that `waybill ls` of a source loaded, each once; `dir` is a scratch folder. */
export async function modulesLoadedByLs(
  dir: string,
  source: string,
  env: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const coverage = join(dir, `coverage-${encodeURIComponent(source)}-${Object.keys(env).length}`);
  await runWaybill(['ls', source], {
    stateDir: join(dir, 'state'),
    cwd: dir,
    env: { ...env, NODE_V8_COVERAGE: coverage },
  });
  const urls = readdirSync(coverage).flatMap((file) => {
    const report = JSON.parse(readFileSync(join(coverage, file), 'utf8')) as {
      readonly result: readonly { readonly url: string }[];
    };
    return report.result.map(({ url }) => url);
  });
  return [...new Set(urls.flatMap(modulesOf))];
}
