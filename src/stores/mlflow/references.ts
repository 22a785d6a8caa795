/**
 * What people write to name something in MLflow, taken apart. Nothing here is decoded and nothing is asked of a
 * server: `models:/a b/3` names the model `a b`.
 */
import { schemeOf } from '../../model/artifact-uri.js';
import { WaybillError } from '../../model/errors.js';

/** `models:/...` in its four forms. `path` is '' for the whole model. */
export type ModelReference = {
  readonly kind: 'model';
  readonly path: string;
} & (
  | { readonly by: 'version'; readonly name: string; readonly version: string }
  | { readonly by: 'stage'; readonly name: string; readonly stage: string }
  | { readonly by: 'latest'; readonly name: string }
  | { readonly by: 'alias'; readonly name: string; readonly alias: string }
  | { readonly by: 'id'; readonly modelId: string }
);

/** `runs:/<run_id>[/path]`. */
export interface RunReference {
  readonly kind: 'run';
  readonly runId: string;
  readonly path: string;
}

/** `mlflow-artifacts:/path` (no host: the tracking server's) or `mlflow-artifacts://host[:port]/path`. */
export interface ArtifactsReference {
  readonly kind: 'artifacts';
  readonly host?: string;
  readonly path: string;
}

/** Any reference. */
export type Reference = ModelReference | RunReference | ArtifactsReference;

const FORMS: Readonly<Record<string, string>> = {
  runs: 'runs:/<run_id>[/path]',
  models:
    'models:/<name>/<version|stage|latest>[/path], models:/<name>@<alias>[/path] or models:/<model_id>[/path]',
  'mlflow-artifacts': 'mlflow-artifacts:/path or mlflow-artifacts://host[:port]/path',
};

function malformed(uri: string, why: string): WaybillError {
  const form = FORMS[schemeOf(uri)] ?? Object.values(FORMS).join('; ');
  return new WaybillError('WB_USAGE', `${uri} cannot be understood: ${why}; write ${form}`, {
    operation: 'resolve',
    store: 'mlflow',
  });
}

/** Text after `scheme:`, split into a host ('' without `//`) and path segments; slashes at both ends are dropped. */
function partsOf(uri: string): { host: string; segments: string[] } {
  const rest = uri.slice(uri.indexOf(':') + 1);
  if (!rest.startsWith('/')) throw malformed(uri, 'a slash is missing after the scheme');
  const hasHost = rest.startsWith('//') && !rest.startsWith('///');
  const host = hasHost ? (rest.slice(2).split('/', 1)[0] ?? '') : '';
  const path = (hasHost ? rest.slice(2 + host.length) : rest)
    .replace(/^\/+/, '')
    .replace(/\/+$/, '');
  return { host, segments: path === '' ? [] : path.split('/') };
}

/** Takes a `runs:`, `models:` or `mlflow-artifacts:` URI apart. Anything else, or a malformed one, is WB_USAGE. */
export function parseReference(uri: string): Reference {
  const { host, segments } = partsOf(uri);
  const scheme = schemeOf(uri);
  if (scheme === 'mlflow-artifacts') {
    return { kind: 'artifacts', path: segments.join('/'), ...(host === '' ? {} : { host }) };
  }
  if (host !== '') {
    throw malformed(uri, `a server cannot be named in it ("${host}"): use --tracking-uri`);
  }
  if (segments.some((segment) => segment.trim() === ''))
    throw malformed(uri, 'a part of it is empty');
  if (scheme === 'runs') {
    const [runId, ...path] = segments;
    if (runId === undefined) throw malformed(uri, 'the run id is missing');
    return { kind: 'run', runId, path: path.join('/') };
  }
  if (scheme === 'models') return parseModel(uri, segments);
  throw malformed(uri, 'it is no MLflow reference');
}

/** The rule of MLflow's `split_models_uri` and `_parse_model_uri`: an `@` in the first part means an alias. */
function parseModel(uri: string, segments: readonly string[]): ModelReference {
  const [first, second, ...rest] = segments;
  if (first === undefined) throw malformed(uri, 'the model is missing');
  const at = first.lastIndexOf('@');
  if (at >= 0) {
    const name = first.slice(0, at);
    const alias = first.slice(at + 1);
    if (name === '' || alias === '') throw malformed(uri, 'the name or the alias is empty');
    return { kind: 'model', by: 'alias', name, alias, path: segments.slice(1).join('/') };
  }
  if (second === undefined) return { kind: 'model', by: 'id', modelId: first, path: '' };
  // MLflow writes models:/<model_id>/path too, and ids of LoggedModels look like nothing else.
  if (/^m-[0-9a-f]{32}$/.test(first)) {
    return { kind: 'model', by: 'id', modelId: first, path: segments.slice(1).join('/') };
  }
  const path = rest.join('/');
  if (/^[0-9]+$/.test(second)) {
    return { kind: 'model', by: 'version', name: first, version: second, path };
  }
  if (second.toLowerCase() === 'latest') return { kind: 'model', by: 'latest', name: first, path };
  return { kind: 'model', by: 'stage', name: first, stage: second, path };
}

/** The last part of a reference that can name a folder or file: the model's name, the run's id, the path's end. */
export function localNameOf(uri: string): string | undefined {
  const { segments } = partsOf(uri.replace(/\?via=.*$/, ''));
  const scheme = schemeOf(uri);
  const last = segments.at(-1);
  if (scheme === 'models' && last !== undefined) {
    const model = parseModel(uri, segments);
    if (model.path !== '') return model.path.split('/').at(-1);
    return model.by === 'id' ? model.modelId : model.name;
  }
  if (last === undefined) return undefined;
  return isResolved(uri) ? decodeURIComponent(last) : last;
}

/** Whether a `mlflow-artifacts:` URI is one that `resolve` made: it says how its bytes travel. */
export function isResolved(uri: string): boolean {
  return /^mlflow-artifacts:\/\/[^/]+\/[^?#]*\?via=(presigned|proxied)(&|$)/.test(uri);
}

/** Whether a URI asks for the registry itself: `models:/`, `runs:/`, `runs:/?experiment=NAME`. */
export function isRegistryUri(uri: string): boolean {
  return /^(models|runs):\/*(\?.*)?$/i.test(uri);
}
