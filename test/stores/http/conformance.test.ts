import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '../../helpers/processes.js';
import { storeConformance } from '../conformance.js';
import type { StoreTraits } from '../conformance/testbed.js';
import { startApache, startNginx, startPythonServer, webTestbed } from './servers.js';

const capabilities: StoreTraits['capabilities'] = {
  canList: true,
  ranges: 'unknown',
  pin: 'unknown',
  knowsSizes: false,
  nativeDigests: ['sha256', 'sha1', 'md5', 'crc32c'],
  listsInOrder: true,
  describesCheaply: true,
  maxConnections: 32,
};

// nginx leaves names with a leading dot out of its indexes.
const canNginxList = (name: string): boolean => !name.startsWith('.');

storeConformance({
  name: 'http',
  traits: {
    capabilities,
    serves: { ranges: 'yes', pin: 'strong' },
    wrongCredentials: ['WB_UNAUTHENTICATED'],
    wrongCredentialsSay: /WAYBILL_HTTP_|user and (the )?password/,
    canHold: canNginxList,
    hasEmptyFolders: true,
  },
  setup: async () => {
    const passwords = join(scratchFolder('htpasswd'), 'passwords');
    const hash = createHash('sha1').update('s3cret of %41da').digest('base64');
    writeFileSync(passwords, `ada:{SHA}${hash}\n`, { mode: 0o644 });
    const server = `absolute_redirect off; auth_basic "models"; auth_basic_user_file ${passwords};`;
    const secrets = { username: 'ada', password: 's3cret%20of%20%2541da' };
    return webTestbed(({ root }) => startNginx({ root, server }), secrets);
  },
});

storeConformance({
  name: 'http',
  traits: {
    capabilities,
    serves: { ranges: 'yes', pin: 'strong' },
    canHold: canNginxList,
    hasEmptyFolders: true,
    manyFiles: 50,
  },
  setup: () =>
    webTestbed(({ root }) =>
      startNginx({ root, server: 'absolute_redirect off;', location: 'autoindex_format json;' }),
    ),
});

for (const indexOptions of ['FancyIndexing HTMLTable', 'FancyIndexing', 'None']) {
  storeConformance({
    name: 'http',
    traits: {
      capabilities,
      serves: { ranges: 'yes', pin: 'strong' },
      hasEmptyFolders: true,
      manyFiles: 50,
      goesThroughToxics: indexOptions === 'None',
    },
    setup: () => webTestbed(({ root }) => startApache({ root, indexOptions })),
  });
}

storeConformance({
  name: 'http',
  traits: {
    capabilities,
    serves: { ranges: 'no', pin: 'weak' },
    hasEmptyFolders: true,
  },
  setup: () => webTestbed(startPythonServer),
});
