/** MLRun: artifacts, models, data sets, feature sets and feature vectors of its registry. */
import { WaybillError } from '../../model/errors.js';
import { NETWORK_VARIABLES } from '../lib/network-variables.js';
import { patience } from '../lib/timeouts.js';
import type {
  CallOptions,
  CatalogueLine,
  OtherStores,
  StoreAddress,
  StoreFactory,
} from '../store.js';
import { SECRET_NAMES, SETTING_NAMES } from './config.js';
import { readEnvFile } from './env-file.js';
import { parseReference, projectOf } from './reference.js';
import type { ProjectReference } from './reference.js';

/** The factory. */
export const mlrun: StoreFactory = {
  name: 'mlrun',
  schemes: ['store', 'mlrun', 'v3io', 'v3ios'],
  summary: 'MLRun artifacts, models, data sets, feature sets and feature vectors',
  forms: [
    'store://[<kind>/][<project>/]<key>[#iter][:tag][@tree][^uid]',
    'store://feature-sets/<project>/<name>[:tag]',
    'store://feature-vectors/<project>/<name>[:tag]',
    'v3io:///<container>/<path>',
  ],
  facts: {
    auth: ['user and password', 'token', 'Iguazio access key', '~/.mlrun.env', 'none'],
    ranges: 'yes, or as the store behind it',
    pin: 'as the store behind it; through the API server weak: modification time and size',
    digests: ['sha1', 'sha256', 'md5', 'crc32', 'crc32c', 'crc64nvme'],
    levels: ['none', 'published'],
  },
  patience,
  environment: {
    settings: [...SETTING_NAMES, ...NETWORK_VARIABLES.settings],
    secrets: [...SECRET_NAMES, ...NETWORK_VARIABLES.secrets],
    url: 'MLRUN_DBPATH',
  },
  isReference: (uri) => /^store:/i.test(uri),
  // Loaded here: a thread that reads another store need not carry this one.
  resolve: async (address, options, others) =>
    (await import('./resolve.js')).resolveReference(address, options, given(others)),
  open: async (address, others) =>
    /^v3ios?:/i.test(address.uri)
      ? (await import('./v3io/store.js')).openV3io(address)
      : (await import('./open.js')).openRecord(address, given(others)),
  settingsAtHome: (homeDir, { settings }) =>
    pick(readEnvFile(homeDir, settings['MLRUN_ENV_FILE']), SETTING_NAMES),
  secretsAtHome: (homeDir, { settings }) =>
    pick(readEnvFile(homeDir, settings['MLRUN_ENV_FILE']), SECRET_NAMES),
  listCatalogue: (address, options) => {
    const asked = projectOf(address.uri);
    return asked === undefined ? undefined : listProject(address, asked, options);
  },
  localName: (uri) => {
    if (/^mlrun:/i.test(uri)) return undefined;
    if (/^v3ios?:/i.test(uri)) return uri.replace(/\/+$/, '').split('/').at(-1);
    const { key } = parseReference(uri);
    return key;
  },
};

function given(others: OtherStores | undefined): OtherStores {
  if (others !== undefined) return others;
  throw new WaybillError('WB_UNEXPECTED', 'MLRun was opened without the other stores');
}

function pick(
  found: Readonly<Record<string, string>>,
  names: readonly string[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(found).filter(([name, value]) => names.includes(name) && value !== ''),
  );
}

async function* listProject(
  address: StoreAddress,
  asked: ProjectReference,
  options: CallOptions,
): AsyncIterable<CatalogueLine> {
  yield* (await import('./list-project.js')).listProject(address, asked, options);
}
