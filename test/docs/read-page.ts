/** Reads one page as a person with a shell does: every block in order, in one shell, from an empty HOME. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readBlocks, type Block } from './blocks.js';
import { pipelineCommand } from './pipeline.js';
import type { World } from './world.js';

/** What became of one block. */
export interface BlockOutcome {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  /** `read`: it is no command. `not reached`: one before it ended other than it should. */
  readonly outcome: 'ran' | 'failed' | 'not reached' | 'by hand' | 'read';
  readonly exitCode?: number;
  /** The end of what it said. */
  readonly said?: string;
}

const SHELL = new Set(['sh', 'bash']);

/** Reads a page; at its end the local service is stopped and all that was made is removed. */
export async function readPage(root: string, page: string, world: World): Promise<BlockOutcome[]> {
  const blocks = readBlocks(root, page);
  const base = mkdtempSync(join('/tmp', 'waybill-reader-'));
  try {
    return await run(root, blocks, base, world);
  } finally {
    rmSync(base, { recursive: true, force: true, maxRetries: 5 });
  }
}

interface Step {
  readonly block: Block;
  readonly script: string;
}

async function run(
  root: string,
  blocks: readonly Block[],
  base: string,
  world: World,
): Promise<BlockOutcome[]> {
  const [home, work] = [join(base, 'home'), join(base, 'work')];
  mkdirSync(home);
  mkdirSync(work);
  prepareWork(work, root);
  const steps: Step[] = [];
  for (const block of blocks) {
    const command = commandOf(block, base, steps.length);
    if (command === undefined) continue;
    const expected = Number(block.tags.get('exit') ?? 0);
    steps.push({ block, script: stepScript(command, expected, steps.length) });
  }
  const script = join(base, 'page.sh');
  writeFileSync(script, `set -u\n${steps.map((step) => step.script).join('')}`);
  const env = { ...world.env, HOME: home };
  const { marks, said } = await runShell(script, work, env);
  await runShell(endScript(base), work, env);
  return blocks.map((block) => outcomeOf(block, steps, marks, said));
}

/** What a reader has: a model that they trained, as a folder and as one file, and the package for programs of their own. */
function prepareWork(work: string, root: string): void {
  mkdirSync(join(work, 'node_modules'));
  symlinkSync(root, join(work, 'node_modules', 'waybill'));
  mkdirSync(join(work, 'trained'));
  writeFileSync(join(work, 'trained', 'weights.bin'), 'w'.repeat(50_000));
  writeFileSync(join(work, 'trained', 'config.json'), '{}\n');
  writeFileSync(join(work, 'model.bin'), 'm'.repeat(10_000));
}

function endScript(base: string): string {
  const path = join(base, 'end.sh');
  writeFileSync(path, 'waybill down --force >/dev/null 2>&1\n');
  return path;
}

/** What the reader types for a block; undefined for one that is only read. */
function commandOf(block: Block, base: string, index: number): string | undefined {
  if (block.tags.has('by-hand')) return undefined;
  const file = block.tags.get('file');
  const path = join(base, `block-${index}`);
  if (file !== undefined) {
    writeFileSync(path, block.text);
    const target = file.replace(/^~\//u, '$HOME/');
    return `mkdir -p "$(dirname "${target}")" && cp "${path}" "${target}"`;
  }
  if (SHELL.has(block.language)) {
    writeFileSync(path, block.text);
    return `. "${path}"`;
  }
  const step = pipelineCommand(block, base);
  if (step !== undefined) {
    writeFileSync(path, `${step}\n`);
    return `. "${path}"`;
  }
  if (block.language !== 'python') return undefined;
  writeFileSync(path, block.text);
  return `python "${path}"`;
}

/** Runs a command and marks how it ended; the page ends where it is other than expected. */
function stepScript(command: string, expected: number, index: number): string {
  const marked = (rc: string): string => `printf '\\n\\001%d %d\\001\\n' ${index} ${rc}`;
  if (expected !== 0) {
    return `(set -e; ${command}); rc=$?; ${marked('$rc')}; [ $rc -eq ${expected} ] || exit\n`;
  }
  return `trap '${marked('$?').replaceAll("'", `'\\''`)}' EXIT; set -e; ${command}\nset +e; trap - EXIT; ${marked('0')}\n`;
}

const PAGE_TIMEOUT_MS = 240_000;

async function runShell(
  script: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<{ marks: ReadonlyMap<number, number>; said: readonly string[] }> {
  const child = spawn('bash', [script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => (text += part));
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), PAGE_TIMEOUT_MS);
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    // A service that was started in the background may keep the pipes.
    child.once('exit', () => setTimeout(resolve, 200));
  });
  clearTimeout(timer);
  const said: string[] = [];
  const marks = new Map<number, number>();
  // Split at the marks: text, number and exit code, text, ...
  const parts = text.split(/\n\u0001(\d+ \d+)\u0001\n/u);
  for (let at = 0; at < parts.length; at += 2) {
    said.push(parts[at] ?? '');
    const [index, exitCode] = (parts[at + 1] ?? '').split(' ').map(Number);
    if (index !== undefined && exitCode !== undefined) marks.set(index, exitCode);
  }
  return { marks, said };
}

function outcomeOf(
  block: Block,
  steps: readonly Step[],
  marks: ReadonlyMap<number, number>,
  said: readonly string[],
): BlockOutcome {
  const { page, line, language } = block;
  const about = { page, line, language };
  if (block.tags.has('by-hand')) return { ...about, outcome: 'by hand' };
  const index = steps.findIndex((step) => step.block === block);
  if (index === -1) return { ...about, outcome: 'read' };
  const exitCode = marks.get(index);
  if (exitCode === undefined) return { ...about, outcome: 'not reached' };
  const outcome = exitCode === Number(block.tags.get('exit') ?? 0) ? 'ran' : 'failed';
  return { ...about, outcome, exitCode, said: (said[index] ?? '').slice(-3_000) };
}
