/** The same command again after a stop half-way. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { familyOf } from '../../test/helpers/process-usage.js';
import { serveOne } from './http.js';
import type { BenchCase, Command, Contender } from '../lib/case.js';
import { httpPeers } from '../lib/peers.js';

const MiB = 1024 * 1024;
const LOOK_EVERY_MS = 10;

/** Bytes that a server and its children have written so far, to sockets too. */
function bytesWritten(groupId: number): number {
  return familyOf(groupId).reduce((sum, pid) => {
    try {
      const io = readFileSync(`/proc/${pid}/io`, 'utf8');
      return sum + Number(/^wchar: (\d+)$/mu.exec(io)?.[1] ?? 0);
    } catch {
      return sum;
    }
  }, 0);
}

/** Runs it until the server has sent so much, then stops it as Ctrl-C does. */
async function runHalf(command: Command, sent: () => number, bytes: number): Promise<void> {
  const start = sent();
  const [program = '', ...args] = command.argv;
  const child = spawn(program, args, { env: command.env, stdio: 'ignore' });
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
  while (child.exitCode === null && sent() - start < bytes) await sleep(LOOK_EVERY_MS);
  child.kill('SIGINT');
  await ended;
}

export function resume(name: string, sizeMiB: number): BenchCase {
  return {
    name,
    what: `One file of ${sizeMiB / 1024} GiB from nginx: Ctrl-C half-way, then the same command again, which is measured.`,
    prepare: async (world) => {
      const sizeBytes = world.scaled(sizeMiB * MiB);
      const nginx = await serveOne(world, sizeBytes);
      const url = `${nginx.url}/model.bin`;
      const brings = { files: 1, bytes: sizeBytes };
      const sent = (): number => bytesWritten(nginx.groupId);
      const halved = (one: Contender): Contender => ({
        ...one,
        before: (target) => runHalf(one.command(target), sent, sizeBytes / 2),
      });
      const sides = await world.sides();
      const own = sides.map((side) => side.puller(url, { brings }));
      const peers = await httpPeers(world.peers, url, { brings, resumes: true });
      return { contenders: [...own, ...peers].map(halved) };
    },
  };
}
