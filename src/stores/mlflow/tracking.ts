/** What resolving asks of MLflow: a server answers it, or the records on disk where there is none. */
import type { ModelReference } from './references.js';
import type { LoggedModel, ModelVersion, Run } from './schemas.js';

type Signal = AbortSignal | undefined;

/** A run or a LoggedModel whose files are meant, and where they lie, as MLflow says it. */
export interface FilesOf {
  readonly runId?: string;
  readonly modelId?: string;
  readonly artifactUri: string;
}

/** Runs and models by what people call them. What is missing is WB_NOT_FOUND, with what there is. */
export interface Tracking {
  run(runId: string, signal: Signal): Promise<Run>;
  loggedModel(modelId: string, signal: Signal): Promise<LoggedModel>;
  /**
   * The LoggedModel of this name that a run made (MLflow 3 keeps `log_model`'s files there, not in the run). The newest
   * where there are several, as MLflow takes the first of its newest-first search.
   */
  modelOfRun(
    run: { readonly runId: string; readonly experimentId: string },
    name: string,
    signal: Signal,
  ): Promise<LoggedModel | undefined>;
  version(reference: Exclude<ModelReference, { by: 'id' }>, signal: Signal): Promise<ModelVersion>;
  /** Where the files of a version lie. */
  downloadUri(version: ModelVersion, signal: Signal): Promise<string>;
  /** Whether a path is among them; undefined: only their storage can tell. */
  has(files: FilesOf, path: string, signal: Signal): Promise<boolean | undefined>;
  /** The names at the top of them, folders with a slash at the end; undefined: only their storage can tell. */
  topLevel(files: FilesOf, signal: Signal): Promise<readonly string[] | undefined>;
}
