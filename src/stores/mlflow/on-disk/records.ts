/** Runs and models as MLflow keeps them without a server. */
import type { LoggedModel, ModelVersion, Run } from '../schemas.js';

/** A version, and where its files were put if not where they were registered from. */
export interface VersionRecord extends ModelVersion {
  readonly storage_location?: string | undefined;
}

/** A registered model. */
export interface ModelRecord {
  readonly name: string;
  readonly versions: readonly VersionRecord[];
  readonly aliases: readonly { readonly alias: string; readonly version: string }[];
}

export interface ExperimentRecord {
  readonly experiment_id: string;
  readonly name: string;
}

/** The records of one place. What is missing is undefined; what cannot be read is an error. */
export interface Records {
  /** `the folder /data/mlruns`. */
  readonly place: string;
  run(runId: string): Promise<Run | undefined>;
  loggedModel(modelId: string): Promise<LoggedModel | undefined>;
  /** The newest LoggedModel of this name that the run made. */
  modelOfRun(
    run: { readonly runId: string; readonly experimentId: string },
    name: string,
  ): Promise<LoggedModel | undefined>;
  model(name: string): Promise<ModelRecord | undefined>;
  models(): AsyncIterable<ModelRecord>;
  /** Those that are not deleted. */
  experiments(): AsyncIterable<ExperimentRecord>;
  /** Those that are not deleted, the newest first; `modelsOnly`: whose metric `model_uploaded` is 1. */
  runs(experimentId: string, options: { readonly modelsOnly: boolean }): AsyncIterable<Run>;
  close(): void;
}
