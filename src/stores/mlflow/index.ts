/** MLflow: runs, registered models, LoggedModels, and the artifact service. */
import type { StoreFactory } from '../store.js';
import { SECRET_NAMES, SETTING_NAMES } from './config.js';
import { parseLocation } from './location.js';
import { openParts } from './parts.js';
import { isResolved, localNameOf } from './references.js';
import { resolveReference } from './resolve.js';
import { MlflowStore } from './store.js';

export { applyPageUrl, fromPageUrl } from './page-url.js';
export { isRegistryUri, listRegistry } from './list-registry.js';
export type { RegistryLine } from './list-registry.js';

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
  environment: { settings: SETTING_NAMES, secrets: SECRET_NAMES },
  isReference: (uri) => !isResolved(uri),
  resolve: resolveReference,
  open: async (address) => {
    const parts = await openParts(address);
    const { trackingUri } = parts.rest.config;
    const location = parseLocation(address.uri, address.settings, trackingUri);
    return new MlflowStore({ location, ...parts });
  },
  localName: localNameOf,
};
