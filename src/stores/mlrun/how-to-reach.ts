/** What to set where files can be reached in no way. */
import { diskPath, isDiskRoot } from '../lib/local-roots.js';
import { PATH_MAP } from '../lib/path-map.js';

/** The end of a message about this place. */
export function howToReach(place: string): string {
  if (!isDiskRoot(place)) {
    return (
      'set credentials for that storage (for S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; for Azure: ' +
      'AZURE_STORAGE_CONNECTION_STRING; for Google Cloud Storage: GOOGLE_APPLICATION_CREDENTIALS), or let the server pass it ' +
      'on (MLRUN_HTTPDB__ALLOWED_FILE_PATHS there)'
    );
  }
  const folder = diskPath(place).replace(/\/+[^/]*\/*$/, '');
  return (
    `they lie on the disk of the machine that logged them; if that disk is here, or mounted here, say where: ` +
    `${PATH_MAP}=${folder}=/where/it/is/here (path_map of a connection), or ALLOW_LOCAL_ROOTS=${folder}`
  );
}
