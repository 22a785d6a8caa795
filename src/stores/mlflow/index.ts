/** MLflow: runs, registered models, LoggedModels, and the artifact service. */
import type { StoreFactory } from '../store.js';
import { SECRET_NAMES, SETTING_NAMES } from './config.js';
import { isResolved, localNameOf } from './references.js';

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
  // Loaded here: a thread that reads another store need not carry this one.
  resolve: async (address, options) =>
    (await import('./resolve.js')).resolveReference(address, options),
  open: async (address) => {
    const [{ openParts }, { parseLocation }, { MlflowStore }] = await Promise.all([
      import('./parts.js'),
      import('./location.js'),
      import('./store.js'),
    ]);
    const parts = await openParts(address);
    const { trackingUri } = parts.rest.config;
    const location = parseLocation(address.uri, address.settings, trackingUri);
    return new MlflowStore({ location, ...parts });
  },
  localName: localNameOf,
};
