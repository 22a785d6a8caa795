/** The servers that the stores are tried with, in the order of `waybill stores`: a file in rows/ and a line here for each. */
import { azure } from './rows/azure.js';
import { gcs } from './rows/gcs.js';
import { hdfs } from './rows/hdfs.js';
import { http } from './rows/http.js';
import { local } from './rows/local.js';
import { proftpd, vsftpd } from './rows/ftp.js';
import { s3 } from './rows/s3.js';
import { sftp } from './rows/sftp.js';
import type { StoreRow } from './served.js';

export const ROWS: readonly StoreRow[] = [s3, azure, gcs, sftp, hdfs, vsftpd, proftpd, http, local];
