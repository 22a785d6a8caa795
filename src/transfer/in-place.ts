/** What of a unit is in place already, as the journal and the disk say together (rule 15). */
import { dirname, join } from 'node:path';
import type { UnitRef } from './api.js';
import { fsyncDir } from './durable-file.js';
import { fetchedLine } from './journal.js';
import { isOfPlan } from './line-fits.js';
import { dropPartial } from './partial.js';
import type { PlanEntry } from './plan/page.js';
import type { PullContext } from './pull-context.js';

/** Whether planning refused the name after its page was sealed. */
export async function isRefused(pull: PullContext, entry: PlanEntry): Promise<boolean> {
  const failed = await pull.journal.failed(entry.path);
  return failed?.code === 'WB_NAME_COLLISION' && failed.planId === pull.planId;
}

/** The files of a unit that are neither in place nor refused. */
export async function missingOf(pull: PullContext, unit: UnitRef): Promise<PlanEntry[]> {
  const page = await pull.page(unit.page);
  const indices = unit.entry === undefined ? (page.units[unit.unit]?.entries ?? []) : [unit.entry];
  const missing: PlanEntry[] = [];
  for (const index of indices) {
    const entry = page.entry(index);
    if (entry.action !== 'fetch' || (await isRefused(pull, entry))) continue;
    if ((await doneBytes(pull, entry)) === undefined) missing.push(entry);
  }
  return missing;
}

/** The size of a file whose planned version the journal has, and which is still there; undefined where it is not so. */
export async function doneBytes(pull: PullContext, entry: PlanEntry): Promise<number | undefined> {
  const planned = { ...entry, planId: pull.planId };
  const line = await pull.journal.fetched(entry.path);
  if (line !== undefined && line.isTrusted && isOfPlan(line, planned)) {
    return (await pull.inPlace(line.entry)) === undefined ? undefined : line.entry.sizeBytes;
  }
  const publishing = pull.journal.publishing(entry.path);
  if (publishing === undefined || !isOfPlan(publishing, planned)) return undefined;
  if ((await pull.inPlace(publishing.entry)) === undefined) return undefined;
  const { partialName } = publishing;
  // A kill may have left it both names; the stamp is taken when it has one.
  if (partialName !== undefined) await dropPartial(join(pull.partialDir, partialName));
  const found = await pull.inPlace(publishing.entry);
  if (found === undefined) return undefined;
  // Whoever gave it its name died before the flush, or before the line that says so.
  await fsyncDir(dirname(join(pull.layout.filesRoot, entry.path)));
  const published = { ...publishing.entry, local: found.stamp };
  await pull.journal.addFetched([fetchedLine(pull.planId, published, 0)]);
  return published.sizeBytes;
}
