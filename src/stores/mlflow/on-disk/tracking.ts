/** What resolving asks, answered from records on disk. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { WaybillError } from '../../../model/errors.js';
import { mlflowError } from '../errors.js';
import { encodePath } from '../names.js';
import type { ModelReference } from '../references.js';
import type { Tracking } from '../tracking.js';
import type { ModelRecord, Records, VersionRecord } from './records.js';

/** Names in an error message are help, not an inventory. */
const MAX_NAMED = 12;

/** How the on-disk tracking finds the files of an artifact root here; undefined: they are not on this disk, or may not be read. */
export type FindHere = (artifactUri: string) => Promise<string | undefined>;

function missing(records: Records, what: string, more = ''): WaybillError {
  const message = `${records.place} has no ${what}${more}`;
  return mlflowError('WB_NOT_FOUND', message, { operation: 'resolve' });
}

/** Runs from one place of records, registered models from the same or another. */
export function diskTracking(runs: Records, registry: Records, findHere: FindHere): Tracking {
  return {
    run: async (runId) => {
      const run = await runs.run(runId);
      if (run === undefined) throw missing(runs, `run ${runId}`);
      return run;
    },
    loggedModel: async (modelId) => {
      const model = await runs.loggedModel(modelId);
      if (model !== undefined) return model;
      const more =
        `; models:/${modelId} names a LoggedModel by its id: for the registered model ` +
        `write models:/${modelId}/latest, models:/${modelId}/<version> or models:/${modelId}@<alias>`;
      throw missing(runs, `LoggedModel with the id ${modelId}`, more);
    },
    modelOfRun: (run, name) => runs.modelOfRun(run, name),
    version: async (reference) => {
      const { name } = reference;
      const model = await registry.model(name);
      if (model === undefined) {
        throw missing(registry, `model ${name}; list the models with \`waybill ls models:/\``);
      }
      const version = pick(model, reference);
      if (version !== undefined) return version;
      throw missing(registry, `${describe(reference)}; ${whatThereIs(model)}`);
    },
    downloadUri: async ({ name, version }) => {
      const found = (await registry.model(name))?.versions.find((one) => one.version === version);
      const uri = found?.storage_location ?? found?.source;
      if (uri) return uri;
      throw missing(registry, `place of the files of version ${version} of model ${name}`);
    },
    has: async ({ artifactUri }, path) => {
      encodePath(path, 'resolve');
      const here = await findHere(artifactUri);
      if (here === undefined) return undefined;
      return lstat(join(here, path)).then(
        () => true,
        () => false,
      );
    },
    topLevel: async ({ artifactUri }) => {
      const here = await findHere(artifactUri);
      if (here === undefined) return undefined;
      const entries = await readdir(here, { withFileTypes: true });
      return entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
    },
  };
}

type Named = Exclude<ModelReference, { by: 'id' }>;

/** MLflow's rules: an alias `latest` is the newest version, and stages are compared without case. */
function pick(model: ModelRecord, reference: Named): VersionRecord | undefined {
  const newestFirst = [...model.versions].sort((a, b) => Number(b.version) - Number(a.version));
  switch (reference.by) {
    case 'version':
      return newestFirst.find((one) => Number(one.version) === Number(reference.version));
    case 'alias': {
      const alias = model.aliases.find((one) => one.alias === reference.alias);
      if (alias) return newestFirst.find((one) => one.version === alias.version);
      return reference.alias.toLowerCase() === 'latest' ? newestFirst[0] : undefined;
    }
    case 'latest':
      return newestFirst[0];
    case 'stage':
      return newestFirst.find(
        (one) => (one.current_stage ?? 'None').toLowerCase() === reference.stage.toLowerCase(),
      );
  }
}

function describe(reference: Named): string {
  const { name } = reference;
  switch (reference.by) {
    case 'version':
      return `version ${reference.version} of model ${name}`;
    case 'alias':
      return `model ${name} with the alias ${reference.alias}`;
    case 'latest':
      return `version of model ${name}`;
    case 'stage':
      return `version of model ${name} in stage ${reference.stage}`;
  }
}

function whatThereIs({ name, versions, aliases }: ModelRecord): string {
  const named = aliases
    .slice(0, MAX_NAMED)
    .map(({ alias, version }) => `models:/${name}@${alias} (version ${version})`);
  const newest = Math.max(0, ...versions.map(({ version }) => Number(version)));
  if (newest > 0) named.push(`models:/${name}/latest (version ${newest})`);
  return named.length === 0 ? `model ${name} has no version yet` : `there is ${named.join(', ')}`;
}
