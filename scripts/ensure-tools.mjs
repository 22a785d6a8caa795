// Gets what the tests start and npm does not bring: Temporal, MinIO, MLflow, nginx, Apache, model_signing.
// With names (`'Temporal CLI'`), only those.
const { ensureTools } = await import('../dist/test/helpers/tools.js');

// An orderly exit ends what was started: Go and pip run in process groups of their own.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

const started = performance.now();
try {
  await ensureTools((line) => {
    const seconds = Math.round((performance.now() - started) / 1000);
    process.stderr.write(`[${String(seconds).padStart(4)} s] ${line}\n`);
  }, process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
