/** What MLflow's REST interface answers, as far as Waybill reads it. Repeated fields that are empty are absent. */
import * as z from 'zod';

/** int64 comes as a number from MLflow, as a string from proxies that follow the protobuf JSON rules. */
const int64 = z.union([
  z.number().int().nonnegative(),
  z.string().regex(/^\d+$/).transform(Number),
]);

/** `GET runs/get`. */
export const RunAnswer = z.object({
  run: z.object({
    info: z.object({
      run_id: z.string().optional(),
      run_uuid: z.string().optional(),
      run_name: z.string().optional(),
      experiment_id: z.string(),
      status: z.string().optional(),
      artifact_uri: z.string().optional(),
      lifecycle_stage: z.string().optional(),
    }),
    outputs: z
      .object({ model_outputs: z.array(z.object({ model_id: z.string() })).optional() })
      .optional(),
  }),
});
export type Run = z.infer<typeof RunAnswer>['run'];

/** One line of a listing; `file_size` is absent for folders and for files of 0 bytes. */
export const ListedFile = z.object({
  path: z.string(),
  is_dir: z.boolean().optional(),
  file_size: int64.optional(),
});

/** `artifacts/list`, `mlflow-artifacts/artifacts`, `logged-models/<id>/artifacts/directories`. */
export const ListAnswer = z.object({
  files: z.array(ListedFile).optional(),
  next_page_token: z.string().optional(),
});

const ModelVersionFields = z.object({
  name: z.string(),
  version: z.union([z.string(), z.number().transform(String)]),
  current_stage: z.string().optional(),
  source: z.string().optional(),
  run_id: z.string().optional(),
  status: z.string().optional(),
  status_message: z.string().optional(),
  aliases: z.array(z.string()).optional(),
});
export type ModelVersion = z.infer<typeof ModelVersionFields>;

/** `GET model-versions/get` and `registered-models/alias`. */
export const ModelVersionAnswer = z.object({ model_version: ModelVersionFields });

/** `POST registered-models/get-latest-versions` and `GET model-versions/search`. */
export const ModelVersionsAnswer = z.object({
  model_versions: z.array(ModelVersionFields).optional(),
  next_page_token: z.string().optional(),
});

/** `GET model-versions/get-download-uri`. */
export const DownloadUriAnswer = z.object({ artifact_uri: z.string() });

const RegisteredModelFields = z.object({
  name: z.string(),
  latest_versions: z.array(ModelVersionFields).optional(),
  aliases: z
    .array(
      z.object({ alias: z.string(), version: z.union([z.string(), z.number().transform(String)]) }),
    )
    .optional(),
});

/** `GET registered-models/get`. */
export const RegisteredModelAnswer = z.object({ registered_model: RegisteredModelFields });

/** `GET registered-models/search`. */
export const RegisteredModelsAnswer = z.object({
  registered_models: z.array(RegisteredModelFields).optional(),
  next_page_token: z.string().optional(),
});

const LoggedModelFields = z.object({
  info: z.object({
    model_id: z.string(),
    name: z.string().optional(),
    experiment_id: z.string().optional(),
    artifact_uri: z.string(),
    status: z.string().optional(),
    source_run_id: z.string().optional(),
  }),
});
export type LoggedModel = z.infer<typeof LoggedModelFields>;

/** `GET logged-models/<id>`. */
export const LoggedModelAnswer = z.object({ model: LoggedModelFields });

/** `POST logged-models/search`. */
export const LoggedModelsAnswer = z.object({
  models: z.array(LoggedModelFields).optional(),
  next_page_token: z.string().optional(),
});

/** `GET experiments/get-by-name` and `experiments/get`. */
export const ExperimentAnswer = z.object({
  experiment: z.object({ experiment_id: z.string(), name: z.string().optional() }),
});

/** `POST runs/search`. */
export const RunsAnswer = z.object({
  runs: z.array(RunAnswer.shape.run).optional(),
  next_page_token: z.string().optional(),
});

/** `GET experiments/search`. */
export const ExperimentsAnswer = z.object({
  experiments: z.array(z.object({ experiment_id: z.string(), name: z.string() })).optional(),
  next_page_token: z.string().optional(),
});

/** `GET /api/3.0/mlflow/server-info`. */
export const ServerInfoAnswer = z.object({ multipart_downloads_enabled: z.boolean().optional() });

/** `GET mlflow-artifacts/presigned/<path>`, and `POST artifacts/presigned-download-url` with its own name for `url`. */
export const PresignedAnswer = z.object({
  url: z.string().optional(),
  presigned_url: z.string().optional(),
  headers: z.record(z.string(), z.string()).nullish(),
  file_size: int64.nullish(),
});
