/** A source that is slow until it is told otherwise, and pulls that are stopped half-way through it. */
import { expect } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readSidecar } from '../../src/transfer/sidecar.js';
import { serveFile, startCutServer } from '../helpers/cut-server.js';

const MiB = 1024 * 1024;
/** Three parts. */
export const MODEL_BYTES = 40 * MiB;
/** Parts that are under way when the last one is recorded. */
export const UNRECORDED_BYTES = 32 * MiB;

export interface SlowSource {
  /** From now on requests are answered as fast as it goes; what is under way is cut, and comes again. */
  hurry(): void;
  /** Slow again. */
  slowDown(): void;
  /** An address of the model that no other test has asked for. */
  uri(name: string): string;
  bytesServed(name: string): number;
  /** Waits until nobody is being sent anything, and checks that something was left to be sent. */
  expectStopped(name: string): Promise<void>;
  /** Waits until a part of a pull into this file is recorded: a kill now loses none of its bytes. */
  untilHalfWay(destination: string): Promise<void>;
  /** The file is there, and every byte is right. */
  expectWhole(destination: string): void;
  stop(): Promise<void>;
}

/** @param accepted the words of Authorization of which every request has to bring one */
export async function startSlowSource(accepted?: readonly string[]): Promise<SlowSource> {
  const model = randomBytes(MODEL_BYTES);
  const server = await startCutServer();
  let isSlow = true;
  const source: SlowSource = {
    hurry: () => {
      isSlow = false;
      server.dropConnections();
    },
    slowDown: () => {
      isSlow = true;
    },
    uri: (name) => `${server.url}/${name}/model.bin`,
    bytesServed: (name) => server.bytesServed(`/${name}/model.bin`),
    expectStopped: async (name) => {
      while (server.openConnections() > 0) await sleep(20);
      expect(source.bytesServed(name)).toBeLessThan(MODEL_BYTES);
    },
    untilHalfWay: (destination) => untilRecorded(destination),
    expectWhole: (destination) => expect(readFileSync(destination).equals(model)).toBe(true),
    stop: () => server.stop(),
  };
  server.serveRest((request) => {
    if (accepted?.includes(request.headers.authorization ?? '') === false) {
      return { status: 401 };
    }
    // The last part is quick, the others take a minute.
    const isLast = request.headers.range?.startsWith(`bytes=${UNRECORDED_BYTES}-`) === true;
    const pace = isSlow && !isLast ? { bytesPerSecond: MiB / 4 } : {};
    return serveFile(model, { etag: '"v1"', ...pace })(request);
  });
  return source;
}

async function untilRecorded(destination: string): Promise<void> {
  const folder = join(dirname(destination), `.${basename(destination)}.waybill`, 'partial');
  // A part is recorded piece by piece: only all of it bounds what a kill loses.
  const holdsPart = (name: string): boolean => {
    if (!name.endsWith('.parts')) return false;
    const { extents } = readSidecar(join(folder, name));
    const bytes = extents.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    return bytes >= MODEL_BYTES - UNRECORDED_BYTES;
  };
  for (let tries = 0; tries < 9_000; tries += 1) {
    if (existsSync(folder) && readdirSync(folder).some(holdsPart)) return;
    if (statSync(destination, { throwIfNoEntry: false })) throw new Error('it has ended already');
    await sleep(20);
  }
  throw new Error(`no part was recorded in ${folder}`);
}
