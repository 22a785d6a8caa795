/** How the SFTP store enters the registry. */
import type { Store, StoreAddress, StoreFactory } from '../store.js';
import { localNameOfSftp } from './address.js';
import { SFTP_SECRETS } from '../lib/secret-variables.js';
import { patience } from '../lib/timeouts.js';
import { readSftpConfig, SETTING_VARIABLES } from './config.js';

async function open(address: StoreAddress): Promise<Store> {
  const config = readSftpConfig(address);
  // Loaded here: a thread that reads another store need not carry this one.
  const { SftpStore } = await import('./store.js');
  return new SftpStore(config, address.pace);
}

/** Servers that speak SSH: a folder or a file of theirs. */
export const sftp: StoreFactory = {
  name: 'sftp',
  schemes: ['sftp'],
  summary: 'a folder or a file of a host that is reached with SSH',
  forms: ['sftp://user@host/absolute/path', 'sftp://host:2222/path', 'sftp://host/~/below/home'],
  facts: {
    auth: ['agent', 'key file', 'password'],
    ranges: 'yes',
    pin: 'weak: mtime and size',
    digests: ['sha256'],
    levels: ['size', 'provider'],
  },
  patience,
  environment: { settings: SETTING_VARIABLES, secrets: SFTP_SECRETS },
  identity: { settings: [], none: { WAYBILL_SFTP_IDENTITY: 'none' } },
  secretsGoAnywhere: 'always',
  open,
  localName: localNameOfSftp,
};
