/** Looking runs and models up by what people call them. */
import { WaybillError } from '../../model/errors.js';
import { mlflowError } from './errors.js';
import type { ModelReference } from './references.js';
import { pagesOf } from './rest.js';
import type { MlflowRest, Question } from './rest.js';
import {
  DownloadUriAnswer,
  LoggedModelAnswer,
  LoggedModelsAnswer,
  ModelVersionAnswer,
  ModelVersionsAnswer,
  RegisteredModelAnswer,
  RunAnswer,
} from './schemas.js';
import type { LoggedModel, ModelVersion, Run } from './schemas.js';

/** Names in an error message are help, not an inventory. */
const MAX_NAMED = 12;

function asking(what: string, signal: AbortSignal | undefined): Question {
  return { operation: 'resolve', what, ...(signal === undefined ? {} : { signal }) };
}

function registryUrl(rest: MlflowRest, route: string): string {
  return `${rest.config.registryUri}/api/2.0/mlflow/${route}`;
}

/** A run by its id. Missing: WB_NOT_FOUND. */
export async function findRun(
  rest: MlflowRest,
  runId: string,
  signal: AbortSignal | undefined,
): Promise<Run> {
  const url = `${rest.config.trackingUri}/api/2.0/mlflow/runs/get`;
  return (await rest.get(url, { run_id: runId }, RunAnswer, asking(`run ${runId}`, signal))).run;
}

/** A LoggedModel by its id. Missing: WB_NOT_FOUND that knows how registered models are written. */
export async function findLoggedModel(
  rest: MlflowRest,
  modelId: string,
  signal: AbortSignal | undefined,
): Promise<LoggedModel> {
  const url = `${rest.config.trackingUri}/api/2.0/mlflow/logged-models/${encodeURIComponent(modelId)}`;
  const question = asking(`LoggedModel with the id ${modelId}`, signal);
  const result = await rest.tryGet(url, {}, LoggedModelAnswer, question);
  if (result.refused === undefined) return result.value.model;
  const { error } = result.refused;
  // Servers before 3.0 have no LoggedModels, and say so with a page.
  if (error.code !== 'WB_NOT_FOUND' && error.code !== 'WB_CONFIG_INVALID') throw error;
  const message =
    `${error.message}; models:/${modelId} names a LoggedModel by its id: for the registered model ` +
    `write models:/${modelId}/latest, models:/${modelId}/<version> or models:/${modelId}@<alias>`;
  throw mlflowError('WB_NOT_FOUND', message, { operation: 'resolve', cause: error });
}

/**
 * The LoggedModel of this name that a run made (MLflow 3 keeps `log_model`'s files there, not in the run). The newest
 * where there are several, as MLflow takes the first of its newest-first search.
 */
export async function findModelOfRun(
  rest: MlflowRest,
  run: { readonly runId: string; readonly experimentId: string },
  name: string,
  signal: AbortSignal | undefined,
): Promise<LoggedModel | undefined> {
  // A quote inside the name cannot be written in MLflow's filter language.
  if (name.includes("'")) return undefined;
  const url = `${rest.config.trackingUri}/api/2.0/mlflow/logged-models/search`;
  const question = asking(`LoggedModels of run ${run.runId}`, signal);
  const body = { experiment_ids: [run.experimentId], filter: `name = '${name}'` };
  const fetchPage = async (page_token: string | undefined) => {
    const asked = page_token === undefined ? body : { ...body, page_token };
    const result = await rest.tryPost(url, asked, LoggedModelsAnswer, question);
    if (result.refused === undefined) return result.value;
    const { error } = result.refused;
    if (error.code === 'WB_CONFIG_INVALID' || error.code === 'WB_USAGE') return {};
    throw error;
  };
  for await (const page of pagesOf(fetchPage, question)) {
    const found = page.models?.find(({ info }) => info.source_run_id === run.runId);
    if (found) return found;
  }
  return undefined;
}

/** The version that a reference to a registered model means. */
export async function findVersion(
  rest: MlflowRest,
  reference: Exclude<ModelReference, { by: 'id' }>,
  signal: AbortSignal | undefined,
): Promise<ModelVersion> {
  const { name } = reference;
  try {
    if (reference.by === 'alias') {
      const query = { name, alias: reference.alias };
      const question = asking(`model ${name} with the alias ${reference.alias}`, signal);
      const url = registryUrl(rest, 'registered-models/alias');
      const { model_version } = await rest.get(url, query, ModelVersionAnswer, question);
      // The version of an alias comes without its aliases.
      return model_version;
    }
    if (reference.by === 'version') {
      const query = { name, version: reference.version };
      const question = asking(`version ${reference.version} of model ${name}`, signal);
      const url = registryUrl(rest, 'model-versions/get');
      return (await rest.get(url, query, ModelVersionAnswer, question)).model_version;
    }
    return await findLatest(
      rest,
      name,
      reference.by === 'stage' ? reference.stage : undefined,
      signal,
    );
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    const isUnknownStage = reference.by === 'stage' && error.code === 'WB_USAGE';
    if (error.code !== 'WB_NOT_FOUND' && !isUnknownStage) throw error;
    const message = `${error.message}; ${await whatThereIs(rest, name, signal)}`;
    throw mlflowError('WB_NOT_FOUND', message, { operation: 'resolve', cause: error });
  }
}

async function findLatest(
  rest: MlflowRest,
  name: string,
  stage: string | undefined,
  signal: AbortSignal | undefined,
): Promise<ModelVersion> {
  const what =
    stage === undefined ? `version of model ${name}` : `version of model ${name} in stage ${stage}`;
  const body = stage === undefined ? { name } : { name, stages: [stage] };
  const url = registryUrl(rest, 'registered-models/get-latest-versions');
  const { model_versions = [] } = await rest.post(
    url,
    body,
    ModelVersionsAnswer,
    asking(what, signal),
  );
  const [latest] = [...model_versions].sort((a, b) => Number(b.version) - Number(a.version));
  if (latest) return latest;
  const server = new URL(rest.config.registryUri).origin;
  throw mlflowError('WB_NOT_FOUND', `MLflow at ${server} has no ${what}`, { operation: 'resolve' });
}

/** Aliases and versions of a model, as the end of an error message. */
async function whatThereIs(
  rest: MlflowRest,
  name: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const url = registryUrl(rest, 'registered-models/get');
  const result = await rest.tryGet(
    url,
    { name },
    RegisteredModelAnswer,
    asking(`model ${name}`, signal),
  );
  if (result.refused !== undefined) return 'list the models with `waybill ls models:/`';
  const { aliases = [], latest_versions = [] } = result.value.registered_model;
  const named = aliases
    .slice(0, MAX_NAMED)
    .map(({ alias, version }) => `models:/${name}@${alias} (version ${version})`);
  const newest = Math.max(0, ...latest_versions.map(({ version }) => Number(version)));
  if (newest > 0) named.push(`models:/${name}/latest (version ${newest})`);
  return named.length === 0 ? `model ${name} has no version yet` : `there is ${named.join(', ')}`;
}

/** Where the files of a version lie. */
export async function findDownloadUri(
  rest: MlflowRest,
  { name, version }: ModelVersion,
  signal: AbortSignal | undefined,
): Promise<string> {
  const url = registryUrl(rest, 'model-versions/get-download-uri');
  const question = asking(`files of version ${version} of model ${name}`, signal);
  return (await rest.get(url, { name, version }, DownloadUriAnswer, question)).artifact_uri;
}
