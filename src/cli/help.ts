/** What `--help` teaches: examples first. Nothing is wider than 80 columns. */

/** A command line, and what it is for. */
type Example = readonly [line: string, what: string];

/** Examples of each command; '' is `waybill --help` itself. */
export const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  '': [
    ['waybill pull models:/churn@champion ./model', 'a model from MLflow'],
    ['waybill pull s3://bucket/data/2024 ./data', 'a tree from S3 or MinIO'],
    ['waybill verify ./model', 'hash it again, say what changed'],
    ['waybill demo', 'see it survive a killed worker'],
  ],
  pull: [
    ['waybill pull models:/churn@champion ./model', 'a registered model, by its alias'],
    ['waybill pull runs:/6b1c.../plots', 'a folder of a run, into ./plots'],
    ['waybill pull s3://bucket/data ./data --include "*.parquet"', 'only what matches'],
    ['waybill pull s3://bucket/data ./data --dry-run', 'what would happen, and why'],
    ['waybill pull https://host/w.bin . --expect sha256:9f86...', 'refused if the bytes differ'],
    ['waybill pull --cluster temporal:7233 --here s3://b/x ./x', 'a cluster keeps it'],
    ['MODEL=$(waybill pull -q models:/churn@champion ./model) || exit', 'in a script'],
  ],
  ls: [
    ['waybill ls models:/churn@champion', 'the first level'],
    ['waybill ls -r s3://bucket/data', 'everything below'],
    ['waybill ls models:/', 'the models of a registry'],
    ['waybill ls "runs:/?experiment=churn"', 'the runs of an experiment'],
  ],
  verify: [
    ['waybill verify ./model', 'changed, missing and extra files; exit 6 if any'],
    ['waybill verify ./model --quick', 'sealed or not, without hashing'],
  ],
  seal: [
    ['waybill seal ./model', 'before mlflow.log_artifacts("./model")'],
    ['waybill seal -q ./model', 'prints the digest of the tree and nothing else'],
  ],
  pulls: [
    ['waybill pulls', 'the latest first'],
    ["waybill pulls --json | jq '.pulls[].destination'", 'for a script'],
  ],
  status: [
    ['waybill status', 'the latest pull'],
    ['waybill status ./model', 'the pull into ./model'],
  ],
  watch: [
    ['waybill watch', 'follow the latest pull until it ends'],
    ['waybill watch ./model', 'ends with the exit code of that pull'],
  ],
  pause: [['waybill pause ./model', 'stop the bytes, keep what is there']],
  resume: [['waybill resume ./model', 'go on where it stopped']],
  tune: [
    ['waybill tune --max-bandwidth 20MiB/s', 'leave the rest of the line to others'],
    ['waybill tune ./model --max-bandwidth never', 'as fast as it can again'],
  ],
  cancel: [['waybill cancel 3f9a', 'a unique prefix of an id is enough']],
  retry: [['waybill retry', 'after the disk, the network or the sign-in was mended']],
  up: [['waybill up', 'for a server where pulls start often']],
  down: [
    ['waybill down', 'refuses while pulls are running'],
    ['waybill down --force', 'what is open goes on at the next start'],
  ],
  setup: [['waybill setup', 'in an image: then the first pull downloads nothing']],
  doctor: [['waybill doctor', 'each check with its finding and what mends it']],
  worker: [
    ['waybill worker --cluster temporal:7233', 'serve any destination'],
    ['waybill worker --cluster temporal:7233 --site gpu1', 'serve gpu1:/path only'],
    ['waybill worker --metrics-bind 0.0.0.0:9464 --health-bind 0.0.0.0:8086', 'in a pod'],
  ],
  'codec-server': [
    ['waybill codec-server --ui-origin http://127.0.0.1:8080', 'for the web page there'],
  ],
  stores: [['waybill stores', 'every form of an address']],
  config: [['waybill config show', 'every value and where it came from']],
  show: [
    ['waybill config show', 'every value and where it came from'],
    ['waybill config show --json', 'for a script'],
  ],
  completion: [
    ['source <(waybill completion bash)', 'in ~/.bashrc'],
    ['source <(waybill completion zsh)', 'in ~/.zshrc, after compinit'],
    ['waybill completion fish > ~/.config/fish/completions/waybill.fish', 'once'],
  ],
  demo: [
    ['waybill demo', 'about a minute, on this machine alone'],
    ['waybill demo --keep', 'leaves what it made, for a look'],
  ],
};

const WIDTH = 80;

/** The block of examples of a command, or ''. What does not fit beside a line stands above it. */
export function examplesText(command: string): string {
  const examples = EXAMPLES[command];
  if (!examples) return '';
  const width = Math.max(...examples.map(([line]) => line.length));
  const isNarrow = examples.every(([, what]) => width + what.length + 5 <= WIDTH);
  const lines = examples.map(([line, what]) =>
    isNarrow ? `  ${line.padEnd(width)}   ${what}` : `  # ${what}\n  ${line}`,
  );
  return `Examples:\n${lines.join('\n')}\n`;
}

/** What stands below the options of a command. */
export const EPILOGUES: Readonly<Record<string, string>> = {
  pull: `
Where it lands: the contents of a directory go into DESTINATION; a single file
becomes DESTINATION, or goes into it where it is a folder or ends in "/".
Without DESTINATION: ./<name>.
Ctrl-C pauses; the same command goes on where it stopped. The key d sends it to
the background.
Units: 200MiB, 1.5G, 8GB; 20MiB/s; 90s, 15m, 1h30m, never.
More: waybill help units, waybill help levels, waybill help exit-codes.`,
  watch: `
Ctrl-C stops watching; the pull goes on. The exit code is that of the pull.`,
  worker: `
It needs no port of its own: it asks Temporal for work. Ctrl-C or SIGTERM drains
it: it takes no more work, goes on with what it has for --grace, hands the rest
back, with every byte kept, and ends with 0. A second one ends it at once, with
130 or 143. Connections and the files that they name are read again when they
have changed.`,
  'codec-server': `
It reads the keys that WAYBILL_PAYLOAD_KEYS names, and listens on 127.0.0.1.
While it runs, whoever is on this host can ask it. In the web page: the glasses,
"Use Cluster-level setting and Local Browser setting", http://127.0.0.1:8089.`,
  show: `
A flag beats WAYBILL_<FLAG>, that beats ./waybill.toml, that beats the file of
the user, that beats the default. Secrets are never shown.`,
};

/** After an error of the command line: what to type next. */
export function afterError(command: string): string {
  return command === 'waybill'
    ? '  waybill --help lists the commands.'
    : `  waybill ${command} --help shows how.`;
}
