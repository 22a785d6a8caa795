// Prebuilds the workflow bundle, so that a worker starts in a quarter of a second instead of more than one.
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const entry = fileURLToPath(new URL('../dist/src/workflows/index.js', import.meta.url));
const guard = fileURLToPath(new URL('../dist/src/workflows/guard.js', import.meta.url));
const target = fileURLToPath(new URL('../dist/workflow-bundle.js', import.meta.url));
if (existsSync(entry)) {
  const quiet = {
    trace() {},
    debug() {},
    info() {},
    warn: console.warn,
    error: console.error,
    log() {},
  };
  const { code } = await bundleWorkflowCode({
    workflowsPath: entry,
    workflowInterceptorModules: [guard],
    logger: quiet,
  });
  writeFileSync(target, code);
}
