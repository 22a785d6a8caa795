/** The servers that the stores are tried with, in the order of `waybill stores`: a file in rows/ and a line here for each. */
import { azure } from './rows/azure.js';
import { gcs } from './rows/gcs.js';
import { hdfs } from './rows/hdfs.js';
import { http } from './rows/http.js';
import { local } from './rows/local.js';
import { mlflowPresigned, mlflowProxied } from './rows/mlflow.js';
import { mlrun } from './rows/mlrun.js';
import { proftpd, vsftpd } from './rows/ftp.js';
import { s3 } from './rows/s3.js';
import { sftp } from './rows/sftp.js';
import type { StoreRow } from './served.js';

export const ROWS: readonly StoreRow[] = [
  mlflowPresigned,
  mlflowProxied,
  mlrun,
  s3,
  azure,
  gcs,
  sftp,
  http,
  vsftpd,
  proftpd,
  hdfs,
  local,
];
