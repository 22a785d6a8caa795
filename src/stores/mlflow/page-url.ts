/** URLs copied from the address bar of the MLflow page, turned into references. */
import type { ConnectionSettings } from '../store.js';

/** A page URL as what it means. */
export interface PageReference {
  /** `runs:/...` or `models:/...`. */
  readonly uri: string;
  /** The server that the page belongs to, static prefix included. */
  readonly trackingUri: string;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/**
 * The pages of a run, a run's artifact, a model version and a LoggedModel, of MLflow 1 to 3:
 * `#/experiments/1/runs/<id>[/artifacts/...]`, `#/models/<name>/versions/3`, `#/experiments/1/models/<m-id>`.
 */
function referenceOf(route: string): string | undefined {
  const segments = route
    .split('?', 1)[0]
    ?.split('/')
    .filter((part) => part !== '')
    .map(decoded);
  if (segments === undefined) return undefined;
  const [first, , third, fourth, fifth, ...rest] = segments;
  if (first === 'experiments' && third === 'runs' && fourth !== undefined) {
    const isArtifact = fifth === 'artifacts' || fifth === 'artifactPath';
    const path = isArtifact && rest.length > 0 ? `/${rest.join('/')}` : '';
    return `runs:/${fourth}${path}`;
  }
  if (first === 'experiments' && third === 'models' && fourth !== undefined) {
    const path = fifth === 'artifacts' && rest.length > 0 ? `/${rest.join('/')}` : '';
    return `models:/${fourth}${path}`;
  }
  const name = segments[1];
  if (first === 'models' && name !== undefined && third === 'versions' && fourth !== undefined) {
    return `models:/${name}/${fourth}`;
  }
  if (first === 'models' && name !== undefined && third === undefined)
    return `models:/${name}/latest`;
  return undefined;
}

/** Takes a URL of the MLflow page apart; undefined for any other URL. */
export function parsePageUrl(uri: string): PageReference | undefined {
  const found = /^(https?:\/\/[^/?#@]+[^?#]*)(?:\?[^#]*)?#(\/.*)$/i.exec(uri);
  const [, page, route] = found ?? [];
  if (page === undefined || route === undefined) return undefined;
  const reference = referenceOf(route);
  if (reference === undefined) return undefined;
  const trackingUri = page.replace(/\/(index\.html)?$/i, '').replace(/\/+$/, '');
  return { uri: reference, trackingUri };
}

/** The reference that a URL of the MLflow page means; undefined for any other URL. */
export function fromPageUrl(uri: string): string | undefined {
  return parsePageUrl(uri)?.uri;
}

/**
 * The reference and the settings that a URL of the MLflow page means. The page's own server becomes
 * `MLFLOW_TRACKING_URI`; a server that was configured before stays the only one that gets credentials (rule 4).
 */
export function applyPageUrl(
  uri: string,
  settings: ConnectionSettings = {},
): { uri: string; settings: ConnectionSettings } | undefined {
  const page = parsePageUrl(uri);
  if (page === undefined) return undefined;
  const configured = settings['MLFLOW_TRACKING_URI'];
  const { MLFLOW_REGISTRY_URI: _registry, ...others } = settings;
  return {
    uri: page.uri,
    settings: {
      ...others,
      MLFLOW_TRACKING_URI: page.trackingUri,
      ...(configured === undefined ? {} : { mlflow_credentials_for: configured }),
    },
  };
}
