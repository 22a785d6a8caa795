/**
 * `npm run scale`: one pull of very many files, or of one very large one, killed at 60 % and taken up again. It prints memory,
 * histories and times; exit 1 where one of them is over its limit.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scratchFolder } from '../helpers/processes.js';
import { openWaybill } from '../helpers/waybill.js';
import { pullAndKill, resumeToEnd, writeManyFiles, type FirstHalf } from './many-files.js';

const HELP = `npm run scale -- [options]
  --files N     files of 1 KiB, 1,000 in a folder (1000000)
  --dir DIR     where source and destination lie: about 10 KiB a file (the folder for temporary files)
  --part P      begin: up to the kill; end: from there; what was cut is gone on with. Both need --dir.
  --kill-at P   part of the files after which everything is killed (0.6)
`;

/** What a pull may need, whatever its size. */
const LIMITS = {
  workerPeakMiB: 400,
  secondsToResume: 30,
  maxEvents: 10_000,
  maxBytes: 10 * 1024 * 1024,
} as const;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '1000000' },
    dir: { type: 'string' },
    part: { type: 'string' },
    'kill-at': { type: 'string', default: '0.6' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) process.stdout.write(HELP);
else {
  const files = Number(values.files);
  const base = values.dir ?? scratchFolder('scale');
  mkdirSync(base, { recursive: true });
  const bed = openWaybill(join(base, 'waybill'));
  const kept = join(base, 'first-half.json');
  const isKept = values.part === 'begin';
  let isWhole = false;
  try {
    const source = join(base, 'source');
    if (!existsSync(source)) {
      say(`writing ${files} files`);
      writeManyFiles(source, files);
    }
    const pull = { bed, source, to: join(bed.dir, 'tree'), files, timeoutMs: 24 * 3_600_000, say };
    const first =
      values.part === 'end'
        ? (JSON.parse(readFileSync(kept, 'utf8')) as FirstHalf)
        : await pullAndKill(pull, Number(values['kill-at']));
    if (isKept) {
      writeFileSync(kept, JSON.stringify(first));
      process.exit(0);
    }
    const figures = await resumeToEnd(pull, first);
    process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`);
    const over = [
      figures.workerPeakMiB > LIMITS.workerPeakMiB && 'the memory of the worker',
      figures.secondsToResume > LIMITS.secondsToResume && 'the time to resume',
      figures.histories.maxEvents > LIMITS.maxEvents && 'the events of a history',
      figures.histories.maxBytes > LIMITS.maxBytes && 'the bytes of a history',
      figures.result['ok'] !== true && 'the pull itself',
    ].filter((one) => one !== false);
    for (const one of over) say(`over its limit: ${one}`);
    if (over.length > 0) process.exitCode = 1;
    isWhole = true;
  } finally {
    if (isWhole) {
      await bed.close();
      rmSync(base, { recursive: true, force: true });
    } else {
      await bed.run(['down', '--force']);
      say(`what happened can be looked at: ${base}`);
    }
  }
}
