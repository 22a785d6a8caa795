/** A registry leads to files in other stores: its connection may say all that a connection of theirs may. */
import { describe, expect, it } from '@jest/globals';
import { readConnection } from '../../src/config/connection.js';
import { STORE_FACTORIES } from '../../src/stores/index.js';
import type { StoreFactory } from '../../src/stores/store.js';

/** Of these the caller's own file is found by the host that a URI names, which nobody knows before a record is read. */
const BY_HOST = new Set(['NETRC']);

const storeOf = (name: string): StoreFactory => {
  const found = STORE_FACTORIES.find((factory) => factory.name === name);
  if (found === undefined) throw new Error(`there is no store ${name}`);
  return found;
};

describe.each(['mlflow', 'mlrun'])('a connection of %s', (registry) => {
  it.each(['s3', 'azure-blob', 'gcs', 'hdfs', 'sftp', 'ftp'])(
    'may say all that one of %s may',
    (name) => {
      const known = storeOf(registry).environment;
      const { settings, secrets } = storeOf(name).environment;
      const wanted = settings.filter((one) => !BY_HOST.has(one));
      expect(known.settings).toEqual(expect.arrayContaining(wanted));
      expect(known.secrets).toEqual(expect.arrayContaining([...secrets]));
    },
  );

  it('that asks an FTP server for digests is none with an unknown key', () => {
    const rest = { ftp_checksum: 'always', aws_role_arn: 'arn:aws:iam::1:role/reader' };
    const table = { name: 'x', type: registry, match: [], rest, file: '/w.toml' };
    const { settings } = readConnection(table, storeOf(registry).environment, () => ({}));
    expect(settings).toEqual({
      WAYBILL_FTP_CHECKSUM: 'always',
      AWS_ROLE_ARN: 'arn:aws:iam::1:role/reader',
    });
  });
});
