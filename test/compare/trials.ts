/** What is done to each tool, and what is seen. Nothing here knows which tool it is. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { scrubbedEnv } from '../helpers/processes.js';
import type { Peer, Wanted } from './peers.js';

/** A place to download from, as a trial prepares it. */
export interface Stage {
  readonly base: string;
  readonly path: string;
  /** The bytes that are right. */
  readonly body: Buffer;
  /** Bytes that left the source so far, about. */
  readonly bytesServed: () => number;
}

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** The file under its final name, wherever below the folder; undefined if there is none. */
function finalFile({ folder, path }: Wanted): Buffer | undefined {
  if (!existsSync(folder)) return undefined;
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find(
    (name) => basename(name) === basename(path) && !name.includes('.waybill'),
  );
  return found === undefined ? undefined : readFileSync(join(folder, found));
}

const START_TIMEOUT_MS = 180_000;

/** Runs a tool. `killWhen` is asked often; true kills it. */
async function run(
  peer: Peer,
  wanted: Wanted,
  env: Readonly<Record<string, string>>,
  killWhen: () => boolean = () => false,
): Promise<number | 'killed'> {
  const [program = '', ...args] = peer.command(wanted);
  const child = spawn(program, args, {
    env: scrubbedEnv({ ...env, ...peer.env?.(wanted) }),
    stdio: 'ignore',
  });
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const timer = setInterval(() => {
      if (killWhen() || performance.now() - started > START_TIMEOUT_MS) child.kill('SIGKILL');
    }, 5);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearInterval(timer);
      resolve(signal === 'SIGKILL' ? 'killed' : (code ?? 1));
    });
  });
}

function place(stage: Stage, folder: string): Wanted {
  mkdirSync(folder, { recursive: true });
  return { base: stage.base, path: stage.path, folder };
}

function stateOf(wanted: Wanted, right: Buffer): string {
  const file = finalFile(wanted);
  if (file === undefined) return 'nothing under the name';
  if (sha256(file) === sha256(right)) return 'the right file';
  if (file.length === right.length) return '**wrong bytes** under the name';
  return `**${Math.round((file.length / right.length) * 100)} % of it** under the name`;
}

function exitText(exit: number | 'killed'): string {
  return exit === 0 ? 'exit 0' : exit === 'killed' ? 'did not end' : `refused (exit ${exit})`;
}

/** Something is wrong with what is served: is it noticed? */
export async function tryOnce(
  peer: Peer,
  stage: Stage,
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const wanted = place(stage, folder);
  const exit = await run(peer, wanted, env);
  return `${exitText(exit)}, ${stateOf(wanted, stage.body)}`;
}

/** Killed half-way, then run again: what is there in between, and what is fetched again? `after` comes between. */
export async function tryKill(
  peer: Peer,
  stage: Stage,
  folder: string,
  env: Readonly<Record<string, string>>,
  after: () => Promise<Buffer> | Buffer = () => stage.body,
): Promise<{ killed: string; again: string }> {
  const wanted = place(stage, folder);
  const before = stage.bytesServed();
  const exit = await run(
    peer,
    wanted,
    env,
    () => stage.bytesServed() - before > stage.body.length / 2,
  );
  const killed = exit === 'killed' ? stateOf(wanted, stage.body) : 'it was not killed';
  const right = await after();
  const half = stage.bytesServed();
  const second = await run(peer, wanted, env);
  const percent = Math.round(((stage.bytesServed() - half) / right.length) * 100);
  return { killed, again: `${exitText(second)}, ${stateOf(wanted, right)}, ${percent} % fetched` };
}
