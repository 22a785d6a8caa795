/**
 * The URI that `resolve` makes and `open` takes: `mlflow-artifacts://host:port/<path>?via=presigned`. Its path is
 * percent-encoded; its query says which transport was chosen and, where the files are reached through a run or a
 * LoggedModel instead of the artifact service, which one.
 */
import { WaybillError } from '../../model/errors.js';
import type { ConnectionSettings } from '../store.js';
import { parseReference } from './references.js';

/** How the bytes travel through MLflow. */
export type Via = 'presigned' | 'proxied';

/** A tree or file at an MLflow server. */
export interface ArtifactLocation {
  /** `http://host:port/prefix` of the artifact service or tracking server. */
  readonly base: string;
  /** Within the artifact service, the run or the model; not encoded. */
  readonly path: string;
  readonly via: Via;
  /** The files are reached through this run of the tracking server. */
  readonly runId?: string;
  /** The files are reached through this LoggedModel of the tracking server. */
  readonly modelId?: string;
  /**
   * The server reads the files from its own disk, so that its ETags are stable. Known only through a run or model: what
   * the artifact service does, its answers show.
   */
  readonly isOnServerDisk?: boolean;
}

/** The setting that carries scheme and static prefix of the host in the URI. */
const BASE_SETTING = 'mlflow_artifacts_base';

/** Writes a location as URI and the settings that go with it. */
export function formatLocation(location: ArtifactLocation): {
  uri: string;
  settings: ConnectionSettings;
} {
  const { base, path, via, runId, modelId, isOnServerDisk } = location;
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  const query = [
    `via=${via}`,
    ...(runId === undefined ? [] : [`run=${encodeURIComponent(runId)}`]),
    ...(modelId === undefined ? [] : [`model=${encodeURIComponent(modelId)}`]),
    ...(isOnServerDisk === true ? ['disk=server'] : []),
  ].join('&');
  return {
    uri: `mlflow-artifacts://${new URL(base).host}/${encoded}?${query}`,
    settings: { [BASE_SETTING]: base },
  };
}

/** Reads what `formatLocation` wrote, or a plain `mlflow-artifacts:` reference, whose bytes then travel proxied. */
export function parseLocation(
  uri: string,
  settings: ConnectionSettings,
  trackingUri: string,
): ArtifactLocation {
  const found =
    /^mlflow-artifacts:\/\/([^/?]+)\/([^?]*)\?via=(presigned|proxied)((?:&[^&]+)*)$/.exec(uri);
  if (!found) return fromReference(uri, trackingUri);
  const [, host = '', encoded = '', via, rest = ''] = found;
  const query = new URLSearchParams(rest);
  const runId = query.get('run');
  const modelId = query.get('model');
  return {
    base: baseOf(host, settings[BASE_SETTING], trackingUri),
    path: decodePath(encoded, uri),
    via: via === 'presigned' ? 'presigned' : 'proxied',
    ...(runId === null ? {} : { runId }),
    ...(modelId === null ? {} : { modelId }),
    ...(query.get('disk') === 'server' ? { isOnServerDisk: true } : {}),
  };
}

function fromReference(uri: string, trackingUri: string): ArtifactLocation {
  const reference = parseReference(uri);
  if (reference.kind !== 'artifacts') {
    const message = `${uri} is a reference: it has to be resolved before it can be opened`;
    throw new WaybillError('WB_USAGE', message, { operation: 'open', store: 'mlflow' });
  }
  const base =
    reference.host === undefined ? trackingUri : baseOf(reference.host, undefined, trackingUri);
  return { base, path: reference.path, via: 'proxied' };
}

/** The address of a host: as it was resolved, or the tracking server's own, or with the tracking server's scheme. */
export function baseOf(host: string, resolved: string | undefined, trackingUri: string): string {
  for (const known of [resolved, trackingUri]) {
    if (known !== undefined && URL.canParse(known) && new URL(known).host === host.toLowerCase()) {
      return known;
    }
  }
  const base = `${new URL(trackingUri).protocol}//${host}`;
  if (URL.canParse(base) && new URL(base).username === '') return base;
  throw new WaybillError('WB_USAGE', `mlflow-artifacts://${host} does not name a host`, {
    operation: 'open',
    store: 'mlflow',
  });
}

function decodePath(encoded: string, uri: string): string {
  try {
    return encoded.split('/').map(decodeURIComponent).join('/').replace(/\/+$/, '');
  } catch (cause) {
    throw new WaybillError('WB_USAGE', `${uri} is not encoded correctly`, {
      operation: 'open',
      store: 'mlflow',
      cause,
    });
  }
}
