/** MLflow: runs, registered models, LoggedModels, and the artifact service. */
import { join } from 'node:path';
import { NETWORK_VARIABLES } from '../lib/network-variables.js';
import { patience } from '../lib/timeouts.js';
import type { CallOptions, CatalogueLine, StoreAddress, StoreFactory } from '../store.js';
import { answerMsOf, SECRET_NAMES, SETTING_NAMES } from './config.js';
import { readCredentialsFile } from './credentials-file.js';
import { applyPageUrl } from './page-url.js';
import { absolutePlaces, namedPlace } from './places.js';
import { isRegistryUri, isResolved, localNameOf } from './references.js';

/** The factory. */
export const mlflowFactory: StoreFactory = {
  name: 'mlflow',
  schemes: ['runs', 'models', 'mlflow-artifacts'],
  summary: 'MLflow runs, registered models and LoggedModels',
  forms: [
    'runs:/<run_id>[/path]',
    'models:/<name>/<version|stage|latest>[/path]',
    'models:/<name>@<alias>[/path]',
    'models:/<model_id>[/path]',
    'mlflow-artifacts:/<path>',
    'mlflow-artifacts://<host>/<path>',
  ],
  facts: {
    auth: ['user and password', 'token', '~/.mlflow/credentials', 'none'],
    ranges: "presigned, or from the server's own disk",
    pin: "strong: ETag, presigned; weak: ETag of the server's own disk; else none",
    digests: ['md5'],
    levels: ['size', 'provider'],
  },
  patience: (settings) => {
    const usual = patience(settings);
    return { ...usual, answerMs: Math.max(usual.answerMs, answerMsOf(settings) ?? 0) };
  },
  environment: {
    settings: [...SETTING_NAMES, ...NETWORK_VARIABLES.settings],
    secrets: [...SECRET_NAMES, ...NETWORK_VARIABLES.secrets],
    url: 'MLFLOW_TRACKING_URI',
  },
  placesHere: { absolute: absolutePlaces, named: namedPlace },
  isReference: (uri) => !isResolved(uri),
  // Loaded here: a thread that reads another store need not carry this one.
  resolve: async (address, options) =>
    (await import('./resolve.js')).resolveReference(address, options),
  open: async (address) => {
    const [{ openParts }, { parseLocation }, { MlflowStore }] = await Promise.all([
      import('./parts.js'),
      import('./location.js'),
      import('./store.js'),
    ]);
    const parts = openParts(address);
    const { trackingUri } = parts.rest.config;
    const location = parseLocation(address.uri, address.settings, trackingUri);
    return new MlflowStore({ location, ...parts });
  },
  adoptUrl: applyPageUrl,
  secretsAtHome: (homeDir) => readCredentialsFile(join(homeDir, '.mlflow', 'credentials')),
  listCatalogue: (address, options) =>
    isRegistryUri(address.uri) ? listCatalogue(address, options) : undefined,
  localName: localNameOf,
};

async function* listCatalogue(
  address: StoreAddress,
  options: CallOptions,
): AsyncIterable<CatalogueLine> {
  yield* (await import('./list-registry.js')).listRegistry(address, options);
}
