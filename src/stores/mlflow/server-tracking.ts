/** A server's answers to what resolving asks. */
import { accessTo, howToHaveAccess, isUnlisted, storageUri } from './direct.js';
import { isServersFailure, withAdvice } from './errors.js';
import {
  findDownloadUri,
  findLoggedModel,
  findModelOfRun,
  findRun,
  findVersion,
} from './lookup.js';
import { splitLast } from './names.js';
import { hasMapped } from '../lib/path-map.js';
import type { MlflowRest, Question } from './rest.js';
import { modelRoute, runRoute } from './routes.js';
import type { ArtifactRoute } from './routes.js';
import type { FilesOf, Tracking } from './tracking.js';

/** The tracking server and the registry of a configuration. */
export function serverTracking(rest: MlflowRest): Tracking {
  return {
    run: (runId, signal) => findRun(rest, runId, signal),
    loggedModel: (modelId, signal) => findLoggedModel(rest, modelId, signal),
    modelOfRun: (run, name, signal) => findModelOfRun(rest, run, name, signal),
    version: (reference, signal) => findVersion(rest, reference, signal),
    downloadUri: (version, signal) => findDownloadUri(rest, version, signal),
    // From the listing of its parent, as a listing of its own does not tell.
    has: async (files, path, signal) => {
      const { settings } = rest.config;
      const isProxied = settings['WAYBILL_MLFLOW_TRANSPORT'] === 'proxied';
      const mapped = isProxied ? 'unmapped' : await hasMapped(settings, files.artifactUri, path);
      if (mapped !== 'unmapped') return mapped;
      const { parent, name } = splitLast(path);
      const question = asking(`file or folder ${path}`, signal);
      try {
        const lines = await routeOf(rest, files).list(parent, question);
        return lines.some((line) => line.name === name);
      } catch (error) {
        // A server that only keeps the books fails at every listing: who has access to the storage asks there.
        if (!isServersFailure(error)) throw error;
        const uri = storageUri(files.artifactUri, path);
        if (accessTo(uri, rest.config) !== undefined) return undefined;
        if (isUnlisted(uri, rest.config)) {
          throw withAdvice(error, howToHaveAccess(uri, files.artifactUri, rest.config));
        }
        throw error;
      }
    },
    topLevel: async (files, signal) => {
      const question = asking(`files of run ${files.runId ?? ''}`, signal);
      const lines = await routeOf(rest, files).list('', question);
      return lines.map(({ name, isFolder }) => (isFolder ? `${name}/` : name));
    },
  };
}

function routeOf(rest: MlflowRest, { runId, modelId }: FilesOf): ArtifactRoute {
  return modelId === undefined ? runRoute(rest, runId ?? '', '') : modelRoute(rest, modelId, '');
}

function asking(what: string, signal: AbortSignal | undefined): Question {
  return { operation: 'resolve', what, ...(signal === undefined ? {} : { signal }) };
}
