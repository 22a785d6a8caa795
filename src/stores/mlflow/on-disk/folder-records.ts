/**
 * MLflow's file store: `<root>/<experiment>/<run>/meta.yaml`, `<root>/<experiment>/models/<id>/meta.yaml` and
 * `<root>/models/<name>/version-<n>/meta.yaml`; deleted experiments lie in `<root>/.trash`.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { errnoOf } from '../../../model/errno.js';
import { mlflowError } from '../errors.js';
import type { LoggedModel, Run } from '../schemas.js';
import { optionalText, optionalTime, statusOf, text } from './fields.js';
import { isUploaded } from './metric.js';
import type { ExperimentRecord, ModelRecord, Records, VersionRecord } from './records.js';
import { readMeta } from './yaml.js';

const RunMeta = z.object({
  run_id: optionalText,
  run_uuid: optionalText,
  run_name: optionalText,
  experiment_id: text,
  status: optionalText,
  artifact_uri: optionalText,
  lifecycle_stage: optionalText,
  start_time: optionalTime,
});
const ModelMeta = z.object({
  model_id: text,
  experiment_id: optionalText,
  name: optionalText,
  artifact_location: optionalText,
  artifact_uri: optionalText,
  status: optionalText,
  source_run_id: optionalText,
  lifecycle_stage: optionalText,
  creation_timestamp: optionalTime,
});
const VersionMeta = z.object({
  name: text,
  version: text,
  current_stage: optionalText,
  source: optionalText,
  storage_location: optionalText,
  run_id: optionalText,
  status: optionalText,
  status_message: optionalText,
});
const ExperimentMeta = z.object({ experiment_id: text, name: text, lifecycle_stage: optionalText });

/** What MLflow accepts as the id of a run or model: nothing that leads out of a folder. */
const ID = /^[a-zA-Z0-9][\w-]{0,255}$/;

/** Opens the folder. One that is not there is WB_NOT_FOUND. */
export async function openFolder(root: string): Promise<Records> {
  await subfolders(root).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error;
    throw mlflowError(
      'WB_NOT_FOUND',
      `MLFLOW_TRACKING_URI names the folder ${root}, and there is none: set it to the mlruns folder, or to the http(s) ` +
        'address of the server',
      { operation: 'resolve', scope: 'source' },
    );
  });
  return new FolderRecords(root);
}

async function subfolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

/** The same, of a folder that need not be there. */
async function subfoldersIfAny(folder: string): Promise<string[]> {
  return subfolders(folder).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw error;
  });
}

class FolderRecords implements Records {
  readonly place: string;

  constructor(private readonly root: string) {
    this.place = `the folder ${root}`;
  }

  async run(runId: string): Promise<Run | undefined> {
    if (!ID.test(runId)) return undefined;
    for await (const experiment of this.experimentFolders()) {
      const run = await readRun(join(experiment, runId));
      if (run !== undefined) return run;
    }
    return undefined;
  }

  async loggedModel(modelId: string): Promise<LoggedModel | undefined> {
    if (!ID.test(modelId)) return undefined;
    for await (const experiment of this.experimentFolders()) {
      const found = await readModel(join(experiment, 'models', modelId));
      if (found !== undefined) return found.model;
    }
    return undefined;
  }

  async modelOfRun(
    { runId, experimentId }: { readonly runId: string; readonly experimentId: string },
    name: string,
  ): Promise<LoggedModel | undefined> {
    let newest: { model: LoggedModel; createdAt: number } | undefined;
    for (const root of [this.root, join(this.root, '.trash')]) {
      const folder = join(root, experimentId, 'models');
      for (const modelId of await subfoldersIfAny(folder)) {
        const found = await readModel(join(folder, modelId));
        const { info } = found?.model ?? {};
        if (found === undefined || info?.source_run_id !== runId || info.name !== name) continue;
        if (newest === undefined || found.createdAt > newest.createdAt) newest = found;
      }
    }
    return newest?.model;
  }

  async model(name: string): Promise<ModelRecord | undefined> {
    // As MLflow: no separator, and nothing that could be one after decoding.
    if (/[/\\%\0]/.test(name) || name === '.' || name === '..') return undefined;
    const folder = join(this.root, 'models', name);
    if ((await readMeta(folder, z.object({ name: text }))) === undefined) return undefined;
    const versions: VersionRecord[] = [];
    for (const entry of await subfoldersIfAny(folder)) {
      if (!/^version-\d+$/.test(entry)) continue;
      const version = await readMeta(join(folder, entry), VersionMeta);
      if (version?.current_stage !== 'Deleted_Internal' && version) versions.push(version);
    }
    return { name, versions, aliases: await readAliases(join(folder, 'aliases')) };
  }

  async *models(): AsyncIterable<ModelRecord> {
    for (const name of (await subfoldersIfAny(join(this.root, 'models'))).sort()) {
      const model = await this.model(name);
      if (model !== undefined) yield model;
    }
  }

  async *experiments(): AsyncIterable<ExperimentRecord> {
    for (const name of (await subfolders(this.root)).sort()) {
      if (name === '.trash' || name === 'models') continue;
      const found = await readMeta(join(this.root, name), ExperimentMeta);
      if (found !== undefined && found.lifecycle_stage !== 'deleted') yield found;
    }
  }

  async *runs(
    experimentId: string,
    { modelsOnly }: { readonly modelsOnly: boolean },
  ): AsyncIterable<Run> {
    const found: { run: Run; startedAt: number }[] = [];
    const experiment = join(this.root, experimentId);
    for (const name of await subfolders(experiment)) {
      const folder = join(experiment, name);
      const run = ID.test(name) ? await readRun(folder) : undefined;
      if (run === undefined || run.info.lifecycle_stage === 'deleted') continue;
      if (modelsOnly && !(await isUploaded(folder))) continue;
      found.push({ run, startedAt: run.startedAt });
    }
    found.sort((a, b) => b.startedAt - a.startedAt);
    for (const { run } of found) yield run;
  }

  close(): void {
    // Nothing is kept open.
  }

  /** Of experiments, the deleted ones last. */
  private async *experimentFolders(): AsyncIterable<string> {
    for (const name of await subfolders(this.root)) {
      if (name !== '.trash' && name !== 'models') yield join(this.root, name);
    }
    const trash = join(this.root, '.trash');
    for (const name of await subfoldersIfAny(trash)) yield join(trash, name);
  }
}

async function readRun(folder: string): Promise<(Run & { startedAt: number }) | undefined> {
  const meta = await readMeta(folder, RunMeta);
  if (meta === undefined) return undefined;
  const { status, start_time, ...info } = meta;
  const models = await subfoldersIfAny(join(folder, 'outputs'));
  const startedAt = start_time ?? 0;
  const full = { info: { ...info, ...statusOf('run', status) }, startedAt };
  if (models.length === 0) return full;
  return { ...full, outputs: { model_outputs: models.map((model_id) => ({ model_id })) } };
}

async function readModel(
  folder: string,
): Promise<{ model: LoggedModel; createdAt: number } | undefined> {
  const meta = await readMeta(folder, ModelMeta);
  if (meta === undefined || meta.lifecycle_stage === 'deleted') return undefined;
  const { artifact_location, artifact_uri = artifact_location ?? '', status, ...info } = meta;
  return {
    model: { info: { ...info, artifact_uri, ...statusOf('model', status) } },
    createdAt: meta.creation_timestamp ?? 0,
  };
}

/** One file for each alias, which holds the version. */
async function readAliases(folder: string): Promise<{ alias: string; version: string }[]> {
  const names = await readdir(folder).catch(() => []);
  const aliases = names.sort().map(async (alias) => {
    const version = await readFile(join(folder, alias), 'utf8');
    return { alias, version: version.trim() };
  });
  return Promise.all(aliases);
}
