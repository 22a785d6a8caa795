/**
 * How long a pull takes that finds everything in place: `npm run compare -- --no-op`. 10,000 files, from a local folder, an
 * nginx index and MinIO, through the real command line and a service that is warm; a table says the wall clock and the
 * processor's time of the worker. docs/what-is-there.md has figures.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { startMinio } from '../helpers/minio.js';
import { startNginx } from '../helpers/nginx.js';
import { cpuSeconds } from '../helpers/process-usage.js';
import { openWaybill, type WaybillBed } from '../helpers/waybill.js';

const FOLDERS = 100;
const FILES_OF_EACH = 100;
const ROUNDS = 5;

/** A source, and what the command has in its environment for it. */
interface Source {
  readonly name: string;
  readonly uri: string;
  readonly env: Readonly<Record<string, string>>;
}

function writeFiles(root: string): void {
  for (let folder = 0; folder < FOLDERS; folder += 1) {
    mkdirSync(join(root, `d${folder}`), { recursive: true });
    for (let file = 0; file < FILES_OF_EACH; file += 1) {
      const bytes = createHash('sha256').update(`${folder} ${file}`).digest();
      writeFileSync(join(root, `d${folder}`, `f${file}.bin`), bytes);
    }
  }
}

async function workerPid(bed: WaybillBed): Promise<number> {
  const { result } = await bed.run(['doctor', '--json']);
  return (result as { processes: { worker: number } }).processes.worker;
}

async function measure(bed: WaybillBed, { name, uri, env }: Source): Promise<string> {
  const worker = await workerPid(bed);
  const cells: string[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const [startedAt, cpuBefore] = [performance.now(), cpuSeconds(worker)];
    const run = await bed.run(['pull', uri, join(bed.dir, name), '--json'], { env });
    const seconds = (performance.now() - startedAt) / 1_000;
    const expected = round === 0 ? 'filesFetched' : 'filesKept';
    if (run.exitCode !== 0 || run.result[expected] !== FOLDERS * FILES_OF_EACH) {
      throw new Error(
        `${name}, round ${round}: ${run.stdout.slice(-500)}${run.stderr.slice(-500)}`,
      );
    }
    // The first one fetches; the second finds young files, whose local pins were weak (decision 10).
    if (round < 2) continue;
    cells.push(`${seconds.toFixed(2)} (${(cpuSeconds(worker) - cpuBefore).toFixed(2)})`);
  }
  return `| ${name} | ${cells.join(' | ')} |`;
}

/** Prints the table to stdout. */
export async function compareNoOp(base: string): Promise<void> {
  const root = join(base, 'served');
  writeFiles(root);
  const nginx = await startNginx({ root });
  const minio = await startMinio();
  const bed = openWaybill(join(base, 'bed'));
  try {
    await minio.createBucket('no-op');
    await minio.putTree('no-op', 'tree', root);
    await bed.run(['up']);
    const sources: readonly Source[] = [
      { name: 'local', uri: root, env: {} },
      { name: 'nginx', uri: `${nginx.url}/`, env: {} },
      { name: 's3', uri: 's3://no-op/tree/', env: minio.env },
    ];
    const heads = Array.from({ length: ROUNDS - 1 }, (_, index) => `${index + 1}`).join(' | ');
    process.stdout.write(`Seconds (of the worker's processor), nothing to fetch:\n\n`);
    process.stdout.write(`| source | ${heads} |\n| --- |${' --- |'.repeat(ROUNDS - 1)}\n`);
    for (const source of sources) process.stdout.write(`${await measure(bed, source)}\n`);
    process.stdout.write(
      `\nload: ${loadavg()
        .map((one) => one.toFixed(1))
        .join(' ')}\n`,
    );
  } finally {
    await bed.close();
    await Promise.all([nginx.stop(), minio.stop()]);
    rmSync(root, { recursive: true, force: true });
  }
}
