/**
 * `npm run scale`: one pull of very many files, or of one very large one, killed at 60 % and taken up again; or the listing of very
 * many keys. It prints memory, histories and times; exit 1 where one of them is over its limit.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startNginx } from '../helpers/nginx.js';
import { scratchFolder } from '../helpers/processes.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';
import {
  pullAndKill,
  resumeToEnd,
  type HalfFigures,
  type KilledPull,
  type PullFigures,
} from './killed-pull.js';
import { LIMITS } from './limits.js';
import { FILE_BYTES, writeManyFiles } from './many-files.js';
import { countLines, startManyKeys } from './many-keys.js';
import { digestOfSparse, mountCompressed, writeSparse } from './one-large.js';

const HELP = `npm run scale -- [options]
  --files N     files of 1 KiB, 1,000 in a folder (1000000)
  --gib N       one file of so many GiB instead, over HTTP, into a Btrfs that compresses its zeros; for root
  --keys N      only list a bucket of so many keys under one prefix
  --dir DIR     where source and destination lie: about 10 KiB a file, 40 MiB a GiB (the folder for temporary files)
  --source DIR  where the source lies, or is written (a folder of DIR)
  --part P      begin: up to the kill; end: from there; what was cut is gone on with. Both need --dir.
  --kill-at P   part of the bytes after which everything is killed (0.6)
`;

const GIB_IN_MIB = 1_024;

const say = (line: string): void => void process.stderr.write(`${line}\n`);
const print = (value: unknown): void =>
  void process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '1000000' },
    gib: { type: 'string' },
    keys: { type: 'string' },
    dir: { type: 'string' },
    source: { type: 'string' },
    part: { type: 'string' },
    'kill-at': { type: 'string', default: '0.6' },
    help: { type: 'boolean', default: false },
  },
});

/** What of the figures is over its limit. */
function overOf(figures: PullFigures): string[] {
  return [
    figures.workerPeakMiB > LIMITS.workerPeakMiB && 'the memory of the worker',
    figures.secondsToResume > LIMITS.secondsToResume && 'the time to resume',
    figures.histories.maxEvents > LIMITS.maxEvents && 'the events of a history',
    figures.histories.maxBytes > LIMITS.maxBytes && 'the bytes of a history',
    figures.countsWentBack > 0 && 'counts that went back',
    figures.result['ok'] !== true && 'the pull itself',
  ].filter((one) => one !== false);
}

/** Makes the pull, or the half of it that was asked for. */
async function pullOf(pull: KilledPull, base: string): Promise<void> {
  const kept = join(base, 'first-half.json');
  const first =
    values.part === 'end'
      ? (JSON.parse(readFileSync(kept, 'utf8')) as HalfFigures)
      : await pullAndKill(pull);
  if (values.part === 'begin') {
    writeFileSync(kept, JSON.stringify(first));
    process.exit(0);
  }
  const figures = await resumeToEnd(pull, first);
  print(figures);
  const over = overOf(figures);
  for (const one of over) say(`over its limit: ${one}`);
  if (over.length > 0) process.exitCode = 1;
}

const killsOf = (): KilledPull['kills'] => [
  { at: Number(values['kill-at']), what: ['service', 'temporal', 'worker'] },
];

async function manyFiles(bed: WaybillBed, base: string): Promise<void> {
  const files = Number(values.files);
  const source = values.source ?? join(base, 'source');
  if (!existsSync(source)) {
    say(`writing ${files} files`);
    writeManyFiles(source, files);
  }
  const [to, bytes] = [join(bed.dir, 'tree'), files * FILE_BYTES];
  await pullOf({ bed, source, to, bytes, kills: killsOf(), timeoutMs: 24 * 3_600_000, say }, base);
}

async function oneLarge(bed: WaybillBed, base: string, gib: number): Promise<void> {
  const root = values.source ?? join(base, 'source');
  const sizeMiB = gib * GIB_IN_MIB;
  mkdirSync(root, { recursive: true });
  if (!existsSync(join(root, 'large.bin'))) writeSparse(join(root, 'large.bin'), sizeMiB);
  // As large as it looks, so that a pull finds room; it takes a block for each piece that it compresses.
  const disk = await mountCompressed(base, sizeMiB + 2 * GIB_IN_MIB);
  const nginx = await startNginx({ root });
  try {
    const to = join(disk.path, 'tree');
    const bytes = sizeMiB * GIB_IN_MIB * 1_024;
    const pull = { bed, source: `${nginx.url}/`, to, bytes, kills: killsOf(), say };
    await pullOf({ ...pull, timeoutMs: 24 * 3_600_000 }, base);
    const lines = readFileSync(join(to, '.waybill', 'SHA256SUMS'), 'utf8').trim();
    const isRight = lines.startsWith(digestOfSparse(sizeMiB));
    say(`its SHA-256 is ${isRight ? 'right' : 'WRONG'}: ${lines}`);
    if (!isRight) process.exitCode = 1;
  } finally {
    await bed.run(['down', '--force']);
    await nginx.stop();
    disk.unmount();
  }
}

async function manyKeys(bed: WaybillBed, keys: number): Promise<void> {
  const server = await startManyKeys(keys);
  try {
    const source = 's3://bucket/many/';
    for (const args of [
      ['ls', '-r', '--json', source],
      ['pull', '--dry-run', '--json', source, join(bed.dir, 'tree')],
    ]) {
      print(await countLines(bed, args, server.env));
    }
  } finally {
    await server.stop();
  }
}

if (values.help) process.stdout.write(HELP);
else {
  const base = values.dir ?? scratchFolder('scale');
  mkdirSync(base, { recursive: true });
  const bed = openWaybill(join(base, 'waybill'));
  let isWhole = false;
  try {
    if (values.keys !== undefined) await manyKeys(bed, Number(values.keys));
    else if (values.gib !== undefined) await oneLarge(bed, base, Number(values.gib));
    else await manyFiles(bed, base);
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
