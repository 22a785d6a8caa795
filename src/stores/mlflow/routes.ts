/**
 * The three ways by which an MLflow server shows files: its artifact service (`mlflow-artifacts`), a run, and a
 * LoggedModel. The last two also serve what the server's operator keeps elsewhere (S3, the server's own disk).
 */
import type { Headers } from '../lib/exchange.js';
import { joinPath } from '../lib/join-path.js';
import { encodePath } from './names.js';
import { pagesOf, withQuery } from './rest.js';
import type { MlflowRest, Question } from './rest.js';
import { ListAnswer, PresignedAnswer } from './schemas.js';
import { mlflowError } from './errors.js';

/** One line of a listing, its name relative to the folder that was listed. */
export interface Listed {
  readonly name: string;
  readonly isFolder: boolean;
  /** Absent for folders. A file without a size is 0 bytes long: MLflow leaves out a zero. */
  readonly sizeBytes?: number;
}

/** Where a file can be fetched from, without MLflow's credentials. */
export interface PresignedUrl {
  readonly url: string;
  readonly headers: Headers;
  readonly sizeBytes?: number;
}

/** A way to a tree of files. Paths are relative to the tree's root. */
export interface ArtifactRoute {
  /** One folder. A missing folder, an empty one and a file all look alike: nothing is listed. */
  list(path: string, question: Question): Promise<readonly Listed[]>;
  /** The address that sends a file's bytes. */
  fileUrl(path: string): string;
  /** Asks for a presigned address. Throws WB_UNSUPPORTED where the storage has none. */
  presign(path: string, question: Question): Promise<PresignedUrl>;
}

interface ListedFile {
  readonly path: string;
  readonly is_dir?: boolean | undefined;
  readonly file_size?: number | undefined;
}

function listedOf(file: ListedFile, name: string): Listed {
  if (file.is_dir === true) return { name, isFolder: true };
  return { name, isFolder: false, sizeBytes: file.file_size ?? 0 };
}

async function listPages(
  rest: MlflowRest,
  url: string,
  query: Readonly<Record<string, string | undefined>>,
  question: Question,
): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  const fetchPage = (page_token: string | undefined) =>
    rest.get(url, { ...query, page_token }, ListAnswer, question);
  for await (const page of pagesOf(fetchPage, question)) files.push(...(page.files ?? []));
  return files;
}

function readPresigned(
  answer: {
    url?: string | undefined;
    presigned_url?: string | undefined;
    headers?: Record<string, string> | null | undefined;
    file_size?: number | null | undefined;
  },
  question: Question,
): PresignedUrl {
  const url = answer.url ?? answer.presigned_url;
  if (url === undefined || !/^https?:\/\//i.test(url)) {
    const message = `the presigned address of ${question.what} is no http(s) address`;
    throw mlflowError('WB_UNSUPPORTED', message, {
      operation: question.operation,
      ...(question.path === undefined ? {} : { path: question.path }),
    });
  }
  const headers = Object.fromEntries(
    Object.entries(answer.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  const size = answer.file_size;
  return { url, headers, ...(size === undefined || size === null ? {} : { sizeBytes: size }) };
}

/**
 * The artifact service below `base` (`http://host/prefix`). Its listings hold names alone.
 * @param root the tree's root within the service
 */
export function serviceRoute(rest: MlflowRest, base: string, root: string): ArtifactRoute {
  const api = `${base}/api/2.0/mlflow-artifacts`;
  return {
    async list(path, question) {
      const full = joinPath(root, path);
      const query = { path: full === '' ? undefined : full };
      const files = await listPages(rest, `${api}/artifacts`, query, question);
      return files.map((file) => listedOf(file, file.path));
    },
    fileUrl: (path) => `${api}/artifacts/${encodePath(joinPath(root, path), 'openRead')}`,
    async presign(path, question) {
      const url = `${api}/presigned/${encodePath(joinPath(root, path), 'openRead')}`;
      return readPresigned(await rest.get(url, {}, PresignedAnswer, question), question);
    },
  };
}

/** Names of a listing whose paths start at the root of the run or model. */
function relativeTo(folder: string, files: readonly ListedFile[]): Listed[] {
  const prefix = folder === '' ? '' : `${folder}/`;
  return files.map((file) =>
    listedOf(file, file.path.startsWith(prefix) ? file.path.slice(prefix.length) : file.path),
  );
}

/** The files of a run, served by the tracking server wherever they lie. */
export function runRoute(rest: MlflowRest, runId: string, root: string): ArtifactRoute {
  const { trackingUri } = rest.config;
  return {
    async list(path, question) {
      const full = joinPath(root, path);
      const query = { run_id: runId, path: full === '' ? undefined : full };
      const url = `${trackingUri}/api/2.0/mlflow/artifacts/list`;
      return relativeTo(full, await listPages(rest, url, query, question));
    },
    fileUrl: (path) =>
      withQuery(`${trackingUri}/get-artifact`, { run_id: runId, path: joinPath(root, path) }),
    async presign(path, question) {
      const url = `${trackingUri}/api/2.0/mlflow/artifacts/presigned-download-url`;
      const body = { run_id: runId, path: joinPath(root, path) };
      return readPresigned(await rest.post(url, body, PresignedAnswer, question), question);
    },
  };
}

/** The files of a LoggedModel, served by the tracking server wherever they lie. */
export function modelRoute(rest: MlflowRest, modelId: string, root: string): ArtifactRoute {
  const { trackingUri } = rest.config;
  const id = encodeURIComponent(modelId);
  return {
    async list(path, question) {
      const full = joinPath(root, path);
      const query = { artifact_directory_path: full === '' ? undefined : full };
      const url = `${trackingUri}/api/2.0/mlflow/logged-models/${id}/artifacts/directories`;
      return relativeTo(full, await listPages(rest, url, query, question));
    },
    fileUrl: (path) =>
      // Only the twin for the browser has this route (mlflow 3.17).
      withQuery(`${trackingUri}/ajax-api/2.0/mlflow/logged-models/${id}/artifacts/files`, {
        artifact_file_path: joinPath(root, path),
      }),
    presign(_path, question) {
      const message = `MLflow has no presigned addresses for ${question.what}`;
      const { operation } = question;
      return Promise.reject(mlflowError('WB_UNSUPPORTED', message, { operation }));
    },
  };
}
