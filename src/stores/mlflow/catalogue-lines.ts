/** What `waybill ls` shows of models, experiments and runs, and the URIs by which it is asked. */
import type { CatalogueLine } from '../store.js';
import { mlflowError } from './errors.js';
import { isRegistryUri } from './references.js';
import type { Run } from './schemas.js';

/** What is listed. */
export type Listing =
  | { readonly of: 'models' }
  | { readonly of: 'experiments' }
  | { readonly of: 'runs'; readonly experiment: string; readonly modelsOnly: boolean };

const FORMS = 'models:/, runs:/, runs:/?experiment=NAME or runs:/?experiment=NAME&models-only';

/** What a URI asks for. Anything but the four forms is WB_USAGE. */
export function listingOf(uri: string): Listing {
  if (isRegistryUri(uri)) {
    if (/^models:\/*$/i.test(uri)) return { of: 'models' };
    if (/^runs:\/*$/i.test(uri)) return { of: 'experiments' };
    const [, experiment, only] = /^runs:\/*\?experiment=(.+?)(&models-only)?$/i.exec(uri) ?? [];
    if (experiment !== undefined) return { of: 'runs', experiment, modelsOnly: only !== undefined };
  }
  throw mlflowError('WB_USAGE', `${uri} cannot be understood: write ${FORMS}`, {
    operation: 'list',
  });
}

/** A registered model: its newest version and its aliases, a line each. */
export function* modelLines(model: {
  readonly name: string;
  readonly versions: readonly { readonly version: string }[];
  readonly aliases: readonly { readonly alias: string; readonly version: string }[];
}): Iterable<CatalogueLine> {
  const { name, versions, aliases } = model;
  const newest = Math.max(0, ...versions.map(({ version }) => Number(version)));
  const note = newest === 0 ? 'no version yet' : `version ${newest}`;
  yield { uri: `models:/${name}/latest`, kind: 'model', note };
  for (const { alias, version } of aliases) {
    yield { uri: `models:/${name}@${alias}`, kind: 'alias', note: `version ${version}` };
  }
}

export function experimentLine(experiment: {
  readonly name: string;
  readonly experiment_id: string;
}): CatalogueLine {
  const { name, experiment_id } = experiment;
  return { uri: `runs:/?experiment=${name}`, kind: 'experiment', note: `id ${experiment_id}` };
}

export function runLine({ info }: Run): CatalogueLine {
  const note = [info.run_name, info.status].filter(Boolean).join(', ');
  return { uri: `runs:/${info.run_id ?? info.run_uuid ?? ''}`, kind: 'run', note };
}
