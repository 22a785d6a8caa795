/** What the records on disk have, for `waybill ls models:/` and `waybill ls runs:/?experiment=NAME`. */
import type { CatalogueLine, StoreAddress } from '../../store.js';
import { experimentLine, modelLines, runLine } from '../catalogue-lines.js';
import type { Listing } from '../catalogue-lines.js';
import { mlflowError } from '../errors.js';
import { openOnDisk } from './index.js';
import type { Records } from './records.js';

/** Lists it. An unknown experiment is WB_NOT_FOUND. */
export async function* listOnDisk(
  address: StoreAddress,
  listing: Listing,
): AsyncIterable<CatalogueLine> {
  const { runs, registry, close } = await openOnDisk(address);
  try {
    switch (listing.of) {
      case 'models':
        for await (const model of registry.models()) yield* modelLines(model);
        return;
      case 'experiments':
        for await (const experiment of runs.experiments()) yield experimentLine(experiment);
        return;
      case 'runs': {
        const id = await experimentId(runs, listing.experiment);
        for await (const run of runs.runs(id, listing)) yield runLine(run);
      }
    }
  } finally {
    close();
  }
}

async function experimentId(runs: Records, name: string): Promise<string> {
  const names: string[] = [];
  for await (const experiment of runs.experiments()) {
    if (experiment.name === name) return experiment.experiment_id;
    names.push(experiment.name);
  }
  const known = names.length === 0 ? 'it has none' : `it has ${names.slice(0, 12).join(', ')}`;
  throw mlflowError('WB_NOT_FOUND', `${runs.place} has no experiment "${name}"; ${known}`, {
    operation: 'list',
  });
}
