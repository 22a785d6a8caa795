/** Pulls whose destination holds this one, or lies inside it: no two living pulls write into one tree (rule 6). */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { RECORD_FOLDER } from '../model/object-path.js';
import type { Layout } from './layout.js';
import { readOwner, refuseLiving, type ClaimInput } from './owner.js';

/** The record folder of a tree, or of a single file beside it. */
const RECORD_NAME = /^\.(?:waybill|.+\.waybill)$/u;

/**
 * Refuses a destination inside a tree that another pull owns, and a tree in which another pull owns a folder or a file.
 * Throws WB_DESTINATION_OWNED. Below the destination only folders are listed, and no link is followed.
 */
export async function refuseOwnedNeighbours(layout: Layout, input: ClaimInput): Promise<void> {
  const isTree = layout.singleName === undefined;
  await refuseOwnedAbove(isTree ? dirname(layout.filesRoot) : layout.filesRoot, input);
  if (isTree) await refuseOwnedBelow(layout.filesRoot, input);
}

async function refuseOwnedAbove(from: string, input: ClaimInput): Promise<void> {
  for (let folder = from; ; folder = dirname(folder)) {
    await refuseIfOwned(join(folder, RECORD_FOLDER), input);
    if (folder === dirname(folder)) return;
  }
}

async function refuseOwnedBelow(root: string, input: ClaimInput): Promise<void> {
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    // What cannot be read is the plan's to judge.
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const path = join(folder, entry.name);
      if (RECORD_NAME.test(entry.name)) await refuseIfOwned(path, input);
      else folders.push(path);
    }
  }
}

async function refuseIfOwned(recordDir: string, input: ClaimInput): Promise<void> {
  if (recordDir === input.recordDir) return;
  const owner = await readOwner(recordDir).catch(() => undefined);
  if (owner !== undefined) await refuseLiving(owner, { ...input, recordDir });
}
