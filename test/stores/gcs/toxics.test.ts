import { GCS_CAPABILITIES } from '../../../src/stores/gcs/store.js';
import { startFakeGcs } from '../../helpers/fake-gcs.js';
import { storeToxics } from '../toxics.js';
import { gcsTestbed } from './testbed.js';

storeToxics({
  name: 'gcs',
  traits: { capabilities: GCS_CAPABILITIES },
  setup: async () => gcsTestbed(await startFakeGcs(), 'toxics'),
});
