/** Draws a recorded pull with ten retries into the terminal, by the real reporter, until the key q ends it. */
import { terminalHints } from '../../../src/config.js';
import { Output } from '../../../src/cli/output.js';
import { TerminalReporter } from '../../../src/cli/reporters/terminal.js';
import type { PullLabel } from '../../../src/cli/reporters/reporter.js';
import { SCENES } from './scenes.js';

const status = SCENES.find(([name]) => name === 'fetching, ten retries')?.[1].status;
if (status === undefined) throw new Error('the scene is not there');

const label: PullLabel = {
  pullId: status.pullId,
  source: status.source,
  destination: status.destination,
  joined: false,
  goesOn: false,
  temporal: 'local service',
  skipsExisting: false,
  command: 'waybill pull models:/llama@champion /data/llama',
};
const output = new Output({
  stdout: process.stdout,
  stderr: process.stderr,
  isQuiet: false,
  isJson: false,
});
const reporter = new TerminalReporter({
  output,
  stream: process.stderr,
  source: status.source,
  hint: 'Ctrl-C pauses it, d sends it to the background',
  ...terminalHints(true),
});
reporter.started(label);
let looks = 0;
setInterval(() => {
  looks += 1;
  const name = `shard-${looks}`;
  // A line that stays is written above the picture now and then.
  const isTold = looks % 10 === 0 && looks <= 30;
  reporter.update(status, isTold ? [{ type: 'retry', name, attempt: 2, reason: 'reset' }] : []);
}, 50);

process.stdin.setRawMode(true);
process.stdin.on('data', (data) => {
  if (!data.toString().includes('q')) return;
  reporter.finish(
    {
      ok: true,
      exitCode: 0,
      destination: status.destination,
      treeDigest: '0'.repeat(64),
      files: 412,
      bytes: 624_000_000_000,
      filesFetched: 400,
      bytesFetched: 1,
      filesKept: 12,
      filesStale: 0,
      filesSkipped: 0,
      levels: { published: 410, size: 2 },
      failures: [],
      filesFailed: 0,
      warnings: [],
    },
    label,
  );
  process.exit(0);
});
