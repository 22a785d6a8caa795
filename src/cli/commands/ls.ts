/** `waybill ls`: what a pull would fetch. */
import { isAbsolute } from 'node:path';
import { WaybillError } from '../../model/errors.js';
import type { ObjectEntry } from '../../model/object-entry.js';
import { formatBytes, formatCount } from '../../model/sizes.js';
import {
  countSpecials,
  describeSpecials,
  nameSpecial,
  type SpecialKind,
} from '../../model/special.js';
import { StoreRegistry } from '../../stores/registry.js';
import type { CatalogueLine } from '../../stores/store.js';
import { ownReach } from '../../transfer/reach.js';
import { findStorage } from '../../transfer/storage-address.js';
import type { CommandContext } from '../context.js';
import { refuseHung } from '../hung-share.js';
import { runInProcess } from '../in-process.js';
import { sourceOf } from '../request/build.js';
import { safeText } from '../safe-text.js';

function tell({ output }: CommandContext, entry: ObjectEntry): void {
  const { path, kind, special, sizeBytes, modifiedAt, digests } = entry;
  if (output.isJson) {
    output.json({
      path,
      kind,
      ...(special === undefined ? {} : { special }),
      sizeBytes: sizeBytes ?? null,
      modifiedAt: modifiedAt ?? null,
      digests: digests ?? {},
    });
    return;
  }
  const name = `${safeText(path)}${kind === 'directory' ? '/' : ''}`;
  if (output.isQuiet) {
    // What can be pulled, for a script.
    if (kind !== 'special') output.rawResult(name);
    return;
  }
  const size = kind !== 'file' ? '' : sizeBytes === undefined ? '?' : formatBytes(sizeBytes);
  const time = modifiedAt === undefined ? '' : modifiedAt.slice(0, 16).replace('T', ' ');
  output.result(
    `${size.padStart(7)}  ${time.padEnd(16)}  ${name}${special === undefined ? '' : `  (skipped: ${nameSpecial(special)})`}`,
  );
}

/** One model, alias, run or experiment of a registry. */
function tellLine({ output }: CommandContext, { uri, kind, note }: CatalogueLine): void {
  if (output.isJson) output.json({ uri, kind, note });
  else if (output.isQuiet) output.rawResult(safeText(uri));
  else output.result(`${safeText(uri).padEnd(40)}  ${safeText(note)}`);
}

/** The source with what `--models-only` adds to it. */
function asked(source: string, { flags }: CommandContext): string {
  if (flags['modelsOnly'] !== true) return source;
  if (/^runs:\/*\?experiment=/i.test(source)) return `${source}&models-only`;
  throw new WaybillError(
    'WB_USAGE',
    '--models-only is for the runs of an experiment: runs:/?experiment=NAME',
  );
}

/** Lists a source: one level, or all with `-r`. */
export async function runLs(
  context: CommandContext,
  [source = '']: readonly (string | undefined)[],
): Promise<number> {
  const { config, output, redactor, flags } = context;
  const registry = new StoreRegistry();
  const { address } = sourceOf(config, asked(source, context), process.cwd(), registry);
  redactor.learn(Object.values(address.secrets));
  if (isAbsolute(address.uri)) refuseHung(address.uri, 'source');
  await runInProcess(context, 'listing', async ({ signal, progress }) => {
    const catalogue = registry.listCatalogue(address, { signal });
    if (catalogue !== undefined) {
      await ownReach.checkSource(address.uri, address.uri, address.settings);
      for await (const line of catalogue) tellLine(context, line);
      return;
    }
    const storage = await findStorage(address, registry, ownReach, signal);
    const store = await registry.open(storage.address);
    try {
      const root = await store.stat('', { signal });
      let files = 0;
      let bytes = 0;
      const specials: SpecialKind[] = [];
      const add = (entry: ObjectEntry): void => {
        if (entry.kind === 'file') files += 1;
        if (entry.kind === 'special') specials.push(entry.special ?? 'other');
        bytes += entry.sizeBytes ?? 0;
        Object.assign(progress, { filesDone: files, bytesDone: bytes, name: entry.path });
        tell(context, entry);
      };
      if (root.kind === 'file') {
        const name = registry.factoryOf(address.uri).localName(address.uri);
        add({ ...root, path: name ?? address.uri });
      } else {
        const recursive = flags['recursive'] === true;
        for await (const entry of store.list('', { recursive, signal })) {
          add(entry);
          await output.caughtUp();
        }
      }
      const left = describeSpecials(countSpecials(specials));
      const total = `${formatCount(files, 'file')}, ${formatBytes(bytes)}`;
      if (!output.isJson) output.say(left === '' ? total : `${total}; skipped: ${left}`);
    } finally {
      await store.close();
    }
  });
  return 0;
}
