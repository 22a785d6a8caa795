/** A page of the plan on disk: what is to be done with each entry, and how the work is cut into units. */
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { localStampSchema, manifestEntrySchema } from '../../manifest/manifest.js';
import { isPlainPin } from '../../manifest/plain-entry.js';
import { WaybillError } from '../../model/errors.js';
import type { PlannedPage, UnitLabel } from '../api.js';
import { errnoOf, toDestinationError } from '../destination-error.js';
import { makeFolderInside, readTextIfThere, writeFileDurably } from '../durable-file.js';
import { RECORD_NAMES } from '../layout.js';
import { checkedLine, readCheckedLines } from '../thread/checked-lines.js';

const digests = z.record(z.string(), z.string());
const pin = z.object({ strength: z.enum(['strong', 'weak']), value: z.string() });

/** In the place of `kept`: the line of the last manifest stands as it is. */
export const AS_RECORDED = 'as recorded';

const planEntrySchema = z.object({
  /** Path below the destination's files root. */
  path: z.string(),
  /** Path at the source; absent where it is the same. */
  sourcePath: z.string().exactOptional(),
  kind: z.enum(['file', 'directory']),
  /**
   * `fetch`: in a unit. `keep`: in place already, as `kept` says. `skip`: left alone (`--if-exists skip`).
   * `make`: a folder. `conflict`: something is there that Waybill did not write.
   */
  action: z.enum(['fetch', 'keep', 'skip', 'make', 'conflict']),
  sizeBytes: z.number().exactOptional(),
  pin: pin.exactOptional(),
  modifiedAt: z.string().exactOptional(),
  isExecutable: z.boolean().exactOptional(),
  digests: digests.exactOptional(),
  expected: z
    .object({
      sha256: z.string(),
      from: z.enum(['caller', 'seal at the source', 'SHA256SUMS at the source']),
    })
    .exactOptional(),
  kept: z.union([z.literal(AS_RECORDED), manifestEntrySchema]).exactOptional(),
  /** The file that is there and may be replaced, as long as it is still this one. Absent: nothing may be there. */
  replaces: z.object({ sizeBytes: z.number(), stamp: localStampSchema }).exactOptional(),
  /** Why, for `--dry-run`. */
  reason: z.string(),
});

/** One entry of the plan. */
export type PlanEntry = z.infer<typeof planEntrySchema>;

const unitSchema = z.object({
  kind: z.enum(['file', 'pack']),
  /** Indices of the entries in this page. */
  entries: z.array(z.number()),
  bytes: z.number(),
});

/** A unit of work: indices into the page. */
export type PlanUnit = z.infer<typeof unitSchema>;

const sealSchema = z.object({ units: z.array(unitSchema), summary: z.custom<PlannedPage>() });

/** What a page is sealed from. */
export interface PageContent {
  readonly entries: readonly PlanEntry[];
  readonly units: readonly PlanUnit[];
  readonly summary: PlannedPage;
}

/** A sealed page, read. Its lines are checked; each is parsed when it is asked for: a unit needs a few of thousands. */
export class PlanPage {
  constructor(
    private readonly lines: readonly string[],
    readonly units: readonly PlanUnit[],
    readonly summary: PlannedPage,
  ) {}

  /** How many entries it has. */
  get size(): number {
    return this.lines.length;
  }

  /** Throws WB_LOCAL_DAMAGE where there is none, or none that this version understands. */
  entry(index: number): PlanEntry {
    const entry = parseEntry(this.lines[index] ?? 'null');
    if (entry !== undefined) return entry;
    const message = `entry ${index} of page ${this.summary.page} of the plan is damaged`;
    throw new WaybillError('WB_LOCAL_DAMAGE', message, { operation: 'read' });
  }

  /** The text of an entry, as `planEntryOf` reads it. */
  text(index: number): string {
    return this.lines[index] ?? 'null';
  }

  /** All entries, in the order of the listing. */
  *entries(): Generator<PlanEntry> {
    for (let index = 0; index < this.size; index += 1) yield this.entry(index);
  }

  /** The folders to make. */
  *folders(): Generator<PlanEntry> {
    for (const [index, line] of this.lines.entries()) {
      if (!line.includes('"action":"make"')) continue;
      const entry = this.entry(index);
      if (entry.action === 'make') yield entry;
    }
  }
}

/** The folder of one plan. */
export function planDirOf(recordDir: string, planId: string): string {
  return join(recordDir, RECORD_NAMES.plan, planId);
}

const fileOf = (planDir: string, page: number): string =>
  join(planDir, `${String(page).padStart(6, '0')}.page`);

/** Seals a page: entries first, the units and the summary as its last line. */
export async function writePage(planDir: string, page: PageContent): Promise<void> {
  const lines = page.entries.map((entry) => checkedLine(JSON.stringify(entry)));
  lines.push(checkedLine(JSON.stringify({ units: page.units, summary: page.summary })));
  await makeFolderInside(dirname(planDir));
  await makeFolderInside(planDir);
  await writeFileDurably(fileOf(planDir, page.summary.page), lines);
}

/** A sealed page; undefined if it was not sealed. Throws WB_LOCAL_DAMAGE if it was changed since. */
export async function readPage(planDir: string, page: number): Promise<PlanPage | undefined> {
  const path = fileOf(planDir, page);
  const text = await readTextIfThere(path, { maxBytes: 256 * 1024 * 1024 });
  if (text === undefined) return undefined;
  const lines = [...readCheckedLines(text)];
  const last = lines.pop();
  const seal = last === undefined ? undefined : sealSchema.safeParse(JSON.parse(last));
  const isWhole = text.split('\n').length === lines.length + 2;
  if (seal?.success !== true || !isWhole) {
    throw new WaybillError('WB_LOCAL_DAMAGE', `the plan ${path} is damaged`, { operation: 'read' });
  }
  return new PlanPage(lines, seal.data.units, seal.data.summary);
}

function parseEntry(line: string): PlanEntry | undefined {
  const value: unknown = JSON.parse(line);
  if (isRecorded(value) || isPlainFetch(value)) return value;
  return planEntrySchema.safeParse(value).data;
}

/** Of a tree that is in place already there are as many as files: the schema would take longer than all the rest. */
function isRecorded(value: unknown): value is PlanEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { path, kind, action, kept, sizeBytes, reason, ...rest } = value as Record<string, unknown>;
  return (
    kept === AS_RECORDED &&
    action === 'keep' &&
    kind === 'file' &&
    typeof path === 'string' &&
    typeof sizeBytes === 'number' &&
    typeof reason === 'string' &&
    Object.keys(rest).length === 0
  );
}

/** A file of a first pull, without digests to expect: there are as many, and each is read twice. */
function isPlainFetch(value: unknown): value is PlanEntry {
  if (typeof value !== 'object' || value === null) return false;
  const { path, kind, action, sizeBytes, pin, modifiedAt, isExecutable, reason, ...rest } =
    value as Record<string, unknown>;
  return (
    action === 'fetch' &&
    kind === 'file' &&
    typeof path === 'string' &&
    typeof sizeBytes === 'number' &&
    typeof reason === 'string' &&
    typeof modifiedAt === 'string' &&
    (isExecutable === undefined || typeof isExecutable === 'boolean') &&
    isPlainPin(pin) &&
    Object.keys(rest).length === 0
  );
}

/** A seal is shorter than this: a few numbers for each unit. */
const SEAL_BYTES = 512 * 1024;

/** What the first pages of a plan fetch. */
export interface PlannedSoFar {
  readonly pages: number;
  readonly bytes: number;
}

/** Bytes to fetch in the pages that are sealed so far, from the last line of each; those before are not read again. */
export async function plannedBytes(
  planDir: string,
  before: PlannedSoFar = { pages: 0, bytes: 0 },
): Promise<PlannedSoFar> {
  let { bytes } = before;
  for (let page = before.pages; ; page += 1) {
    const tail = await readTail(fileOf(planDir, page));
    if (tail === undefined) return { pages: page, bytes };
    const last = [...readCheckedLines(tail.slice(tail.lastIndexOf('\n', tail.length - 2) + 1))].at(
      -1,
    );
    const seal = last === undefined ? undefined : sealSchema.safeParse(JSON.parse(last));
    bytes += seal?.data?.summary.bytes ?? 0;
  }
}

async function readTail(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const from = Math.max(0, size - SEAL_BYTES);
      const { buffer, bytesRead } = await file.read({
        buffer: Buffer.alloc(size - from),
        position: from,
      });
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw toDestinationError(error, 'read', path);
  }
}

/** All pages of a plan, in order. One that is not complete is WB_LOCAL_DAMAGE, unless it may be cut. */
export async function* readPages(
  planDir: string,
  { mayBeCut }: { readonly mayBeCut: boolean } = { mayBeCut: false },
): AsyncGenerator<PlanPage> {
  for (let number = 0; ; number += 1) {
    const page = await readPage(planDir, number);
    if (page === undefined) {
      if (mayBeCut) return;
      throw new WaybillError('WB_LOCAL_DAMAGE', `the plan in ${planDir} is not complete`, {
        operation: 'read',
      });
    }
    yield page;
    if (page.summary.isLast) return;
  }
}

/** The label of a unit, for people. */
export function labelOf(page: PlanPage, unit: PlanUnit): UnitLabel {
  const first = page.entry(unit.entries[0] ?? 0).path;
  const files = unit.entries.length;
  const label = unit.kind === 'file' || files === 1 ? first : `${files} files from ${first}`;
  const cut = label.length > 118 ? `…${label.slice(-117)}` : label;
  return { kind: unit.kind, label: cut, files, bytes: unit.bytes };
}
