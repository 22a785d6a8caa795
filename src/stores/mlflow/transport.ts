/** How the bytes of a target travel: presigned, else direct, else proxied. Chosen once, with the reason. */
import { pathToFileURL } from 'node:url';
import type { ConnectionSettings } from '../store.js';
import type { MlflowConfig } from './config.js';
import { accessTo, howToHaveAccess, isUnlisted, storageUri } from './direct.js';
import { isServersFailure, meansFeatureAbsent, mlflowError, withAdvice } from './errors.js';
import { baseOf, formatLocation } from './location.js';
import type { ArtifactLocation, Via } from './location.js';
import { allowedPath, diskPath } from '../lib/local-roots.js';
import { joinPath } from '../lib/join-path.js';
import { encodePath, trimSlashes } from './names.js';
import { notHere } from './not-here.js';
import type { MlflowParts } from './parts.js';
import { findMapped } from '../lib/path-map.js';
import { probePresigned } from './probe.js';
import type { Target } from './target.js';
import type { MlflowRest } from './rest.js';
import { modelRoute, runRoute, serviceRoute } from './routes.js';
import { PresignedAnswer, ServerInfoAnswer } from './schemas.js';

/** A transport, chosen. */
export interface Chosen {
  readonly uri: string;
  readonly settings: ConnectionSettings;
  /** With its reason, for the receipt. */
  readonly transport: string;
  readonly warnings: readonly string[];
}

type Signal = AbortSignal | undefined;

/** Chooses. A run whose files can be reached in no way is an error that says where they lie. */
export async function chooseTransport(
  parts: MlflowParts,
  target: Target,
  signal: Signal,
): Promise<Chosen> {
  const { config } = parts.rest;
  const mapped = isProxyAskedFor(config)
    ? undefined
    : await findMapped(config.settings, target.artifactUri, target.path);
  if (mapped !== undefined) {
    const uri = pathToFileURL(mapped.path).href;
    return { uri, settings: {}, transport: `direct (${mapped.why})`, warnings: [] };
  }
  const service = serviceOf(target.artifactUri, config.trackingUri);
  if (service)
    return viaService(parts, { ...service, path: joinPath(service.path, target.path) }, signal);
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(target.artifactUri)?.[1]?.toLowerCase() ?? 'file';
  if (scheme === 'file') return viaServerDisk(parts.rest, target, signal);
  return viaStorage(parts, target, scheme, signal);
}

/** The artifact service that an artifact root names; undefined: it names another place. */
function serviceOf(
  artifactUri: string,
  trackingUri: string,
): { base: string; path: string } | undefined {
  const own = /^mlflow-artifacts:(?:\/\/([^/]+))?\/*(.*)$/i.exec(artifactUri);
  if (own) {
    const [, host, path = ''] = own;
    const base = host === undefined ? trackingUri : baseOf(host, undefined, trackingUri);
    return { base, path: trimSlashes(path) };
  }
  const written =
    /^(https?:\/\/[^?#]*?)\/(?:ajax-)?api\/2\.0\/mlflow-artifacts\/artifacts(?:\/([^?#]*))?$/i.exec(
      artifactUri,
    );
  if (!written) return undefined;
  const [, base = '', path = ''] = written;
  return { base: base.replace(/\/\/[^/@]*@/, '//'), path: trimSlashes(path) };
}

async function viaService(
  parts: MlflowParts,
  place: { base: string; path: string },
  signal: Signal,
): Promise<Chosen> {
  const { rest } = parts;
  const isElsewhere = !rest.config.credentialsOrigins.includes(new URL(place.base).origin);
  const warnings =
    isElsewhere && rest.config.authorization !== undefined
      ? [
          `the files lie at ${new URL(place.base).origin}, which gets no credentials of ${rest.config.trackingUri}`,
        ]
      : [];
  const chosen = (via: Via, why: string): Chosen => ({
    ...formatLocation({ ...place, via }),
    transport: `${via} (${why})`,
    warnings,
  });
  const off = presignedIsOff(rest.config);
  if (off !== undefined) return chosen('proxied', off);
  if (!(await offersPresigned(rest, place, signal))) {
    return chosen('proxied', 'the server offers no presigned addresses');
  }
  const route = serviceRoute(rest, place.base, '');
  const obstacle = await probePresigned(route, parts.storage, place.path, signal);
  return obstacle === undefined
    ? chosen('presigned', 'the server offers it')
    : chosen('proxied', obstacle);
}

function isProxyAskedFor({ settings }: MlflowConfig): boolean {
  return settings['WAYBILL_MLFLOW_TRANSPORT'] === 'proxied';
}

function presignedIsOff(config: MlflowConfig): string | undefined {
  if (isProxyAskedFor(config)) return 'asked for';
  const { settings } = config;
  const isOff = /^(false|0)$/i.test(settings['MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD'] ?? '');
  return isOff ? 'MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD is false' : undefined;
}

/** Servers since 3.14 say it; older ones are asked for an address, which 501 or an unknown route refuses. */
async function offersPresigned(
  rest: MlflowRest,
  { base, path }: { base: string; path: string },
  signal: Signal,
): Promise<boolean> {
  const question = {
    operation: 'resolve',
    what: 'server information',
    ...(signal ? { signal } : {}),
  };
  const info = await rest.tryGet(
    `${base}/api/3.0/mlflow/server-info`,
    {},
    ServerInfoAnswer,
    question,
  );
  if (info.refused === undefined) return info.value.multipart_downloads_enabled === true;
  if (!meansFeatureAbsent(info.refused.answer) && info.refused.error.code !== 'WB_NOT_FOUND') {
    throw info.refused.error;
  }
  const url = `${base}/api/2.0/mlflow-artifacts/presigned/${encodePath(path, 'resolve')}`;
  const probe = await rest.tryGet(url, {}, PresignedAnswer, question);
  return probe.refused === undefined || probe.refused.error.code === 'WB_NOT_FOUND';
}

/** Files in an object store that the clients of this server are meant to reach by themselves. */
async function viaStorage(
  parts: MlflowParts,
  target: Target,
  scheme: string,
  signal: Signal,
): Promise<Chosen> {
  const { rest, storage } = parts;
  const { runId, modelId, path } = target;
  const isOff = presignedIsOff(rest.config);
  const uri = storageUri(target.artifactUri, path);
  const direct = accessTo(uri, rest.config);
  const howTo = howToHaveAccess(uri, target.artifactUri, rest.config);
  let obstacle = isOff ?? 'the server presigns the files of runs only';
  if (runId !== undefined && isOff === undefined) {
    const found = await probePresigned(runRoute(rest, runId, ''), storage, path, signal).catch(
      (error: unknown) => {
        if (!isServersFailure(error)) throw error;
        // A server without access to its own storage fails on every listing of it.
        if (direct !== undefined) return 'the server cannot read its storage';
        throw isUnlisted(uri, rest.config) ? withAdvice(error, howTo) : error;
      },
    );
    if (found === undefined) {
      return served(rest, { path, via: 'presigned', runId }, 'the server signs for its storage');
    }
    obstacle = found;
  }
  if (direct !== undefined) {
    return { uri, settings: {}, transport: `direct (${obstacle}, and ${direct})`, warnings: [] };
  }
  const lacking = isUnlisted(uri, rest.config)
    ? `no prefixes of this connection list ${storageUri(target.artifactUri, '')}`
    : 'no credentials for it are set';
  const why = `the files lie at ${scheme}://, ${obstacle}, and ${lacking}`;
  if (runId !== undefined) return served(rest, { path, via: 'proxied', runId }, why);
  if (modelId !== undefined) return served(rest, { path, via: 'proxied', modelId }, why);
  throw mlflowError(
    'WB_CONFIG_INVALID',
    `the files lie at ${uri}, which MLflow does not pass on: ${howTo}; or pull from there`,
    { operation: 'resolve', scope: 'source' },
  );
}

function served(rest: MlflowRest, place: Omit<ArtifactLocation, 'base'>, why: string): Chosen {
  const location = { ...place, base: rest.config.trackingUri };
  return { ...formatLocation(location), transport: `${place.via} (${why})`, warnings: [] };
}

/** Files on the server's own disk: read here only where that is allowed, else through the server. */
async function viaServerDisk(rest: MlflowRest, target: Target, signal: Signal): Promise<Chosen> {
  const { config } = rest;
  const { runId, modelId, path, artifactUri } = target;
  const here = await allowedPath(config.allowLocalRoots, joinPath(diskPath(artifactUri), path));
  if (here !== undefined) {
    return {
      uri: pathToFileURL(here).href,
      settings: {},
      transport: 'direct (the files lie in a folder that allow_local_roots names)',
      warnings: [],
    };
  }
  const place = runId !== undefined ? { runId } : modelId !== undefined ? { modelId } : undefined;
  if (place) {
    await refuseAnotherDisk(rest, target, signal);
    const location = { ...place, path, via: 'proxied' as const, isOnServerDisk: true };
    return {
      ...formatLocation({ ...location, base: config.trackingUri }),
      transport: "proxied (the files lie on the server's disk)",
      warnings: [],
    };
  }
  throw mlflowError(
    'WB_UNSUPPORTED',
    `the files lie on the disk of the MLflow server, at ${joinPath(artifactUri, path)}: start it with ` +
      '--serve-artifacts and log the model again, or name the folder in allow_local_roots if it is on this machine',
    { operation: 'resolve', scope: 'source' },
  );
}

/** A server lists nothing of a path that is on the disk of whoever logged it: an empty tree would be a lie. */
async function refuseAnotherDisk(
  rest: MlflowRest,
  { runId, modelId, artifactUri }: Target,
  signal: Signal,
): Promise<void> {
  const route =
    modelId === undefined ? runRoute(rest, runId ?? '', '') : modelRoute(rest, modelId, '');
  const owner = runId !== undefined ? `run ${runId}` : `model ${modelId ?? ''}`;
  const lines = await route.list('', {
    operation: 'resolve',
    what: `files of ${owner}`,
    ...(signal ? { signal } : {}),
  });
  if (lines.length > 0) return;
  const root = diskPath(artifactUri);
  throw notHere({ owner, wanted: root, root, server: rest.config.trackingUri });
}
