import { S3_CAPABILITIES } from '../../../src/stores/s3/store.js';
import { startMinio } from '../../helpers/minio.js';
import { storeToxics } from '../toxics.js';
import { s3Testbed } from './testbed.js';

storeToxics({
  name: 's3',
  traits: { capabilities: S3_CAPABILITIES },
  setup: async () => s3Testbed(await startMinio(), 'toxics'),
});
