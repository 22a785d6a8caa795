/** What a tracking server has, for `waybill ls models:/` and `waybill ls runs:/?experiment=NAME`. */
import type { CallOptions, CatalogueLine, StoreAddress } from '../store.js';
import { experimentLine, listingOf, modelLines, runLine } from './catalogue-lines.js';
import { openParts } from './parts.js';
import { isOnDisk } from './places.js';
import { pagesOf } from './rest.js';
import type { MlflowRest, Question } from './rest.js';
import {
  ExperimentAnswer,
  ExperimentsAnswer,
  RegisteredModelsAnswer,
  RunsAnswer,
} from './schemas.js';

/** Lists it. Anything but the forms of `listingOf` is WB_USAGE, an unknown experiment WB_NOT_FOUND. */
export async function* listRegistry(
  address: StoreAddress,
  { signal }: CallOptions = {},
): AsyncIterable<CatalogueLine> {
  const listing = listingOf(address.uri);
  if (isOnDisk(address.settings)) {
    yield* (await import('./on-disk/list.js')).listOnDisk(address, listing);
    return;
  }
  const parts = openParts(address);
  try {
    if (listing.of === 'models') yield* models(parts.rest, signal);
    else if (listing.of === 'experiments') yield* experiments(parts.rest, signal);
    else yield* runs(parts.rest, listing, signal);
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
      yield* modelLines({ name, versions: latest_versions, aliases });
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
    for (const experiment of page.experiments ?? []) yield experimentLine(experiment);
  }
}

async function* runs(
  rest: MlflowRest,
  { experiment: name, modelsOnly }: { readonly experiment: string; readonly modelsOnly: boolean },
  signal: AbortSignal | undefined,
): AsyncIterable<CatalogueLine> {
  const { trackingUri } = rest.config;
  const found = await rest.get(
    `${trackingUri}/api/2.0/mlflow/experiments/get-by-name`,
    { experiment_name: name },
    ExperimentAnswer,
    asking(`experiment "${name}"`, signal),
  );
  const question = asking(`runs of experiment "${name}"`, signal);
  const body = {
    experiment_ids: [found.experiment.experiment_id],
    max_results: 200,
    ...(modelsOnly ? { filter: 'metrics.model_uploaded = 1' } : {}),
  };
  const fetchPage = (page_token: string | undefined) => {
    const asked = page_token === undefined ? body : { ...body, page_token };
    return rest.post(`${trackingUri}/api/2.0/mlflow/runs/search`, asked, RunsAnswer, question);
  };
  for await (const page of pagesOf(fetchPage, question)) {
    for (const run of page.runs ?? []) yield runLine(run);
  }
}
