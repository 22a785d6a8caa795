/** What a tracking server has, for `waybill ls models:/` and `waybill ls runs:/?experiment=NAME`. */
import type { CallOptions, CatalogueLine, StoreAddress } from '../store.js';
import { mlflowError } from './errors.js';
import { openParts } from './parts.js';
import { isRegistryUri } from './references.js';
import { pagesOf } from './rest.js';
import type { MlflowRest, Question } from './rest.js';
import {
  ExperimentAnswer,
  ExperimentsAnswer,
  RegisteredModelsAnswer,
  RunsAnswer,
} from './schemas.js';

/** Lists it. Anything but the three forms is WB_USAGE, an unknown experiment WB_NOT_FOUND. */
export async function* listRegistry(
  address: StoreAddress,
  { signal }: CallOptions = {},
): AsyncIterable<CatalogueLine> {
  const { uri } = address;
  if (!isRegistryUri(uri)) {
    const message = `${uri} is no registry: write models:/, runs:/ or runs:/?experiment=NAME`;
    throw mlflowError('WB_USAGE', message, { operation: 'list' });
  }
  const parts = openParts(address);
  try {
    const experiment = /^runs:\/*\?(.*)$/i.exec(uri)?.[1];
    if (/^models:/i.test(uri)) yield* models(parts.rest, signal);
    else if (experiment === undefined) yield* experiments(parts.rest, signal);
    else yield* runs(parts.rest, experiment, signal);
  } finally {
    await parts.close();
  }
}

function asking(what: string, signal: AbortSignal | undefined): Question {
  return { operation: 'list', what, ...(signal === undefined ? {} : { signal }) };
}

async function* models(
  rest: MlflowRest,
  signal: AbortSignal | undefined,
): AsyncIterable<CatalogueLine> {
  const question = asking('registered models', signal);
  const url = `${rest.config.registryUri}/api/2.0/mlflow/registered-models/search`;
  const fetchPage = (page_token: string | undefined) =>
    rest.get(url, { max_results: '200', page_token }, RegisteredModelsAnswer, question);
  for await (const page of pagesOf(fetchPage, question)) {
    for (const { name, latest_versions = [], aliases = [] } of page.registered_models ?? []) {
      const newest = Math.max(0, ...latest_versions.map(({ version }) => Number(version)));
      const note = newest === 0 ? 'no version yet' : `version ${newest}`;
      yield { uri: `models:/${name}/latest`, kind: 'model', note };
      for (const { alias, version } of aliases) {
        yield { uri: `models:/${name}@${alias}`, kind: 'alias', note: `version ${version}` };
      }
    }
  }
}

async function* experiments(
  rest: MlflowRest,
  signal: AbortSignal | undefined,
): AsyncIterable<CatalogueLine> {
  const question = asking('experiments', signal);
  const url = `${rest.config.trackingUri}/api/2.0/mlflow/experiments/search`;
  const fetchPage = (page_token: string | undefined) =>
    rest.get(url, { max_results: '200', page_token }, ExperimentsAnswer, question);
  for await (const page of pagesOf(fetchPage, question)) {
    for (const { name, experiment_id } of page.experiments ?? []) {
      yield { uri: `runs:/?experiment=${name}`, kind: 'experiment', note: `id ${experiment_id}` };
    }
  }
}

async function* runs(
  rest: MlflowRest,
  query: string,
  signal: AbortSignal | undefined,
): AsyncIterable<CatalogueLine> {
  const name = /^experiment=(.+)$/i.exec(query)?.[1];
  if (name === undefined) {
    const message = `"${query}" cannot be understood: write runs:/?experiment=NAME`;
    throw mlflowError('WB_USAGE', message, { operation: 'list' });
  }
  const { trackingUri } = rest.config;
  const found = await rest.get(
    `${trackingUri}/api/2.0/mlflow/experiments/get-by-name`,
    { experiment_name: name },
    ExperimentAnswer,
    asking(`experiment "${name}"`, signal),
  );
  const question = asking(`runs of experiment "${name}"`, signal);
  const body = { experiment_ids: [found.experiment.experiment_id], max_results: 200 };
  const fetchPage = (page_token: string | undefined) => {
    const asked = page_token === undefined ? body : { ...body, page_token };
    return rest.post(`${trackingUri}/api/2.0/mlflow/runs/search`, asked, RunsAnswer, question);
  };
  for await (const page of pagesOf(fetchPage, question)) {
    for (const { info } of page.runs ?? []) {
      const id = info.run_id ?? info.run_uuid ?? '';
      const note = [info.run_name, info.status].filter(Boolean).join(', ');
      yield { uri: `runs:/${id}`, kind: 'run', note };
    }
  }
}
