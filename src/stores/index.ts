/** The stores that Waybill has, in the order of `waybill stores`. Each is one folder beside this file. */
import { azureBlob } from './azure-blob/index.js';
import { ftp } from './ftp/index.js';
import { gcs } from './gcs/index.js';
import { hdfs } from './hdfs/index.js';
import { http } from './http/index.js';
import { local } from './local/index.js';
import { mlflowFactory } from './mlflow/index.js';
import { mlrun } from './mlrun/index.js';
import { s3 } from './s3/index.js';
import { sftp } from './sftp/index.js';
import type { StoreFactory } from './store.js';

export const STORE_FACTORIES: readonly StoreFactory[] = [
  mlflowFactory,
  mlrun,
  s3,
  azureBlob,
  gcs,
  sftp,
  http,
  ftp,
  hdfs,
  local,
];
