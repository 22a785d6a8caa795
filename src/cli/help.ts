/** What `--help` teaches: examples first. */

/** Examples of each command; '' is `waybill --help` itself. */
export const EXAMPLES: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  '': [
    ['waybill pull models:/churn@champion ./model', 'a registered model from MLflow'],
    ['waybill pull s3://bucket/datasets/2024 ./data', 'a tree from S3 or MinIO'],
    ['waybill verify ./model', 'hash it again, say what changed'],
    ['waybill demo', 'see it survive a killed worker'],
  ],
  pull: [
    ['waybill pull models:/churn@champion ./model', 'by alias; the tree lands in ./model'],
    ['waybill pull runs:/6b1c.../plots', 'a folder of a run, to ./plots'],
    ['waybill pull s3://b/data ./data --include "*.parquet"', 'only what matches'],
    ['waybill pull https://host/w.bin . --expect sha256:9f86...', 'refused if the bytes differ'],
    ['MODEL=$(waybill pull -q models:/churn@champion ./model)', 'in a script'],
  ],
  ls: [
    ['waybill ls models:/churn@champion', 'the first level'],
    ['waybill ls -r s3://bucket/data', 'everything below'],
  ],
  verify: [
    ['waybill verify ./model', 'changed, missing and extra files; exit 6 if any'],
    ['waybill verify ./model --quick', 'sealed or not, without hashing'],
  ],
  seal: [
    ['waybill seal ./model', 'before mlflow.log_artifacts("./model"):'],
    ['', 'a later pull then proves every file (level published)'],
  ],
  status: [
    ['waybill status', 'the latest pull'],
    ['waybill status ./model', 'the pull into ./model'],
  ],
  watch: [['waybill watch', 'follow the latest pull until it ends']],
  pause: [['waybill pause ./model', 'stop the bytes, keep what is there']],
  cancel: [['waybill cancel 3f9a', 'a unique prefix of an id is enough']],
  completion: [
    ['source <(waybill completion bash)', 'in ~/.bashrc'],
    ['source <(waybill completion zsh)', 'in ~/.zshrc, after compinit'],
    ['waybill completion fish > ~/.config/fish/completions/waybill.fish', ''],
  ],
  worker: [['waybill worker --cluster temporal:7233', 'serve the pulls of a cluster']],
  setup: [['waybill setup', 'in an image, so that the first pull needs no download']],
  doctor: [['waybill doctor', 'each check with its finding and what mends it']],
};

/** The block of examples of a command, or ''. */
export function examplesText(command: string): string {
  const examples = EXAMPLES[command];
  if (!examples) return '';
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, what]) => `  ${line.padEnd(width)}   ${what}`);
  return `Examples:\n${lines.join('\n')}\n`;
}

/** What stands below `waybill pull --help`. */
export const PULL_EPILOGUE = `
Where it lands: the contents of a directory go into DESTINATION; a single file becomes DESTINATION, or goes into it
where it is a folder or ends in "/". Without DESTINATION: ./<name>.
Ctrl-C pauses; the same command goes on where it stopped. Press d to let it run in the background.
Sizes: 200MiB, 1.5G, 8GB. Durations: 90s, 15m, 1h30m, never.
Exit codes: 0 done, 2 usage, 3 partial, 4 not found, 5 no permission, 6 integrity, 7 no space, 8 source changed,
9 conflict, 10 Temporal or worker, 11 unsafe name, 12 gave up, 13 cancelled, 14 over a limit, 130/143 stopped.`;
