/** What a reference means: which run or model, and where its files lie. */
import { redactUri } from '../../model/artifact-uri.js';
import { mlflowError } from './errors.js';
import { diskPath, isDiskRoot } from '../lib/local-roots.js';
import { joinPath } from '../lib/join-path.js';
import { howToMap } from './not-here.js';
import { parseReference } from './references.js';
import type { ModelReference, RunReference } from './references.js';
import type { FilesOf, Tracking } from './tracking.js';

/** What a reference means. */
export interface Target {
  /** Where the files of the run or model lie, as MLflow says it. */
  readonly artifactUri: string;
  /** Below `artifactUri`. */
  readonly path: string;
  readonly revision?: string;
  readonly facts: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
  /** The tracking server shows these files as those of a run; `path` is below the run's root. */
  readonly runId?: string;
  /** The tracking server shows these files as those of a LoggedModel. */
  readonly modelId?: string;
}

/** Model versions may point to models or runs, which point to files; more hops would be a loop. */
const MAX_HOPS = 4;

/** Names in an error message are help, not an inventory. */
const MAX_NAMED = 12;

/** What a reference means. */
export async function targetOf(
  tracking: Tracking,
  uri: string,
  signal: AbortSignal | undefined,
  hops = 0,
): Promise<Target> {
  if (hops > MAX_HOPS) {
    const message = `${uri} leads from one reference to the next without end`;
    throw mlflowError('WB_NOT_FOUND', message, { operation: 'resolve' });
  }
  const reference = parseReference(uri);
  switch (reference.kind) {
    case 'artifacts':
      return {
        artifactUri: `mlflow-artifacts:/${reference.host === undefined ? '' : `/${reference.host}/`}`,
        path: reference.path,
        facts: {},
        warnings: [],
      };
    case 'run':
      return targetOfRun(tracking, reference, signal);
    case 'model':
      return targetOfModel(tracking, reference, signal, hops);
  }
}

async function targetOfRun(
  tracking: Tracking,
  { runId: asked, path }: RunReference,
  signal: AbortSignal | undefined,
): Promise<Target> {
  const run = await tracking.run(asked, signal);
  const { info, outputs } = run;
  const runId = info.run_id ?? info.run_uuid ?? asked;
  const warnings: string[] = [];
  if (info.lifecycle_stage === 'deleted')
    warnings.push(`run ${runId} is deleted: its files may go`);
  if (info.status === 'RUNNING' || info.status === 'SCHEDULED') {
    warnings.push(`run ${runId} is ${info.status}: files may still be added`);
  }
  const facts = {
    runId,
    experimentId: info.experiment_id,
    ...(info.run_name === undefined ? {} : { runName: info.run_name }),
    ...(info.status === undefined ? {} : { runStatus: info.status }),
  };
  const artifactUri = info.artifact_uri ?? '';
  const own: Target = { artifactUri, path, revision: runId, facts, warnings, runId };
  const models = outputs?.model_outputs?.length ?? 0;
  if (path === '') {
    if (models === 0) return own;
    const note = `run ${runId} made ${models} LoggedModel(s), which are not among its files: runs:/${runId}/<name>`;
    return { ...own, warnings: [...warnings, note] };
  }
  const [name = '', ...rest_] = path.split('/');
  const files = { runId, artifactUri };
  const [isInRun, model] = await Promise.all([
    tracking.has(files, path, signal),
    tracking.modelOfRun({ runId, experimentId: info.experiment_id }, name, signal),
  ]);
  const below = rest_.join('/');
  const modelId = model?.info.model_id;
  if (model && modelId !== undefined) {
    const { artifact_uri } = model.info;
    const isInModel =
      below === '' ||
      (await tracking.has({ modelId, artifactUri: artifact_uri }, below, signal)) !== false;
    if (isInModel) {
      // MLflow merges the two, the model's files over the run's; a tree of two sources has no one origin to prove.
      const both =
        isInRun === true
          ? [
              `run ${runId} has own files at ${path} too, which are left out: ${joinPath(redactUri(artifactUri), path)}`,
            ]
          : [];
      return {
        artifactUri: artifact_uri,
        path: below,
        revision: modelId,
        facts: { ...facts, modelId, modelName: name },
        warnings: [...warnings, ...both],
        modelId,
      };
    }
  }
  if (isInRun !== false) return own;
  throw mlflowError(
    'WB_NOT_FOUND',
    `run ${runId} has no ${path}, as a file, a folder or a LoggedModel; ${await whatIsThere(tracking, files, signal)}`,
    { operation: 'resolve' },
  );
}

async function whatIsThere(
  tracking: Tracking,
  run: FilesOf,
  signal: AbortSignal | undefined,
): Promise<string> {
  const names = (await tracking.topLevel(run, signal)) ?? [];
  if (names.length > 0) return `it has ${names.slice(0, MAX_NAMED).join(', ')}`;
  if (!isDiskRoot(run.artifactUri)) return 'it has no files at all';
  return `it has no files at all here: they lie at ${diskPath(run.artifactUri)}, if anything was logged. ${howToMap(diskPath(run.artifactUri))}`;
}

async function targetOfModel(
  tracking: Tracking,
  reference: ModelReference,
  signal: AbortSignal | undefined,
  hops: number,
): Promise<Target> {
  const { path } = reference;
  if (reference.by === 'id') {
    const { info } = await tracking.loggedModel(reference.modelId, signal);
    const isReady = info.status === undefined || /READY/.test(info.status);
    return {
      artifactUri: info.artifact_uri,
      path,
      revision: info.model_id,
      facts: {
        modelId: info.model_id,
        ...(info.name === undefined ? {} : { modelName: info.name }),
        ...(info.source_run_id ? { runId: info.source_run_id } : {}),
      },
      warnings: isReady
        ? []
        : [`LoggedModel ${info.model_id} is ${info.status}: it may be incomplete`],
      modelId: info.model_id,
    };
  }
  const version = await tracking.version(reference, signal);
  const downloadUri = await tracking.downloadUri(version, signal);
  const below = await targetBelow(tracking, downloadUri, path, version.run_id, signal, hops);
  const isReady = version.status === undefined || version.status === 'READY';
  return {
    ...below,
    revision: version.version,
    facts: {
      ...below.facts,
      modelName: version.name,
      modelVersion: version.version,
      ...(reference.by === 'alias' ? { alias: reference.alias } : {}),
      ...(reference.by === 'stage' ? { stage: reference.stage } : {}),
      ...(version.run_id ? { runId: version.run_id } : {}),
    },
    warnings: [
      ...below.warnings,
      ...(isReady ? [] : [`version ${version.version} is ${version.status}: it may be incomplete`]),
    ],
  };
}

/** Where the files of a version are, and through what the tracking server shows them. */
async function targetBelow(
  tracking: Tracking,
  downloadUri: string,
  path: string,
  runId: string | undefined,
  signal: AbortSignal | undefined,
  hops: number,
): Promise<Target> {
  if (/^(runs|models):\//i.test(downloadUri)) {
    return targetOf(tracking, joinPath(downloadUri.replace(/\/+$/, ''), path), signal, hops + 1);
  }
  const plain: Target = { artifactUri: downloadUri, path, facts: {}, warnings: [] };
  if (/^mlflow-artifacts:/i.test(downloadUri)) return plain;
  // .../models/<m-id>/artifacts is how every root of a LoggedModel ends.
  const modelId = /\/models\/(m-[0-9a-f]{32})\/artifacts\/?$/.exec(downloadUri)?.[1];
  if (modelId !== undefined) return { ...plain, modelId };
  if (!runId) return plain;
  const root = await tracking.run(runId, signal).catch(() => undefined);
  const prefix = root?.info.artifact_uri?.replace(/\/+$/, '');
  if (prefix === undefined || !`${downloadUri}/`.startsWith(`${prefix}/`)) return plain;
  const inRun = downloadUri.slice(prefix.length).replace(/^\/+/, '').replace(/\/+$/, '');
  return { ...plain, artifactUri: prefix, path: joinPath(inRun, path), runId };
}
