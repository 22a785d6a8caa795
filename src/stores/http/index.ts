/** The store of files behind HTTP. */
import { NETWORK_VARIABLES } from '../lib/network-variables.js';
import { patience } from '../lib/timeouts.js';
import type { StoreFactory } from '../store.js';
import { httpLocalName, parseAddress } from './address.js';

/** Reads a file, a directory index (the address ends in `/`) or a list of files. */
export const http: StoreFactory = {
  name: 'http',
  schemes: ['http', 'https'],
  summary: 'a file, a directory index (nginx, Apache, Python) or a list of files over HTTP',
  forms: [
    'https://host/model.bin',
    'https://host/models/churn/',
    'https://host/models/churn/SHA256SUMS',
  ],
  facts: {
    auth: ['user and password', 'bearer token', 'signed address', 'client certificate', 'none'],
    ranges: 'where the server takes them',
    pin: 'strong: ETag; weak: W/ ETag, Last-Modified with size; else none',
    digests: ['sha256', 'sha1', 'md5', 'crc32c'],
    levels: ['none', 'published'],
  },
  patience,
  environment: {
    settings: [...NETWORK_VARIABLES.settings, 'WAYBILL_HTTP_TOKEN_HOST'],
    secrets: [...NETWORK_VARIABLES.secrets, 'WAYBILL_HTTP_TOKEN'],
  },
  secretsGoAnywhere: 'configured',
  open: async (address) => {
    const parsed = parseAddress(address);
    const { openHttp } = await import('./open.js');
    return openHttp(address, parsed);
  },
  localName: httpLocalName,
};
