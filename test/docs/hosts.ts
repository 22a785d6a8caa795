/** The names that the documentation uses, on loopback addresses of their own, and a certificate for them. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Name to address: each has the usual ports for itself. */
export const HOSTS = {
  'files.example': '127.77.0.1',
  'mlflow.example': '127.77.0.2',
  'mlrun.example': '127.77.0.8',
  'minio.example': '127.77.0.3',
  // Azure's own names: an account is known by them.
  'mlstore.blob.core.windows.net': '127.77.0.4',
  'mlstore.dfs.core.windows.net': '127.77.0.4',
  'storage.googleapis.com': '127.77.0.5',
  'oauth2.googleapis.com': '127.77.0.6',
  'ftp.example': '127.77.0.7',
} as const;

/** Makes the names known to this process and its children; it must be in a mount namespace of its own. */
export function nameHosts(dir: string): void {
  const file = join(dir, 'hosts');
  copyFileSync('/etc/hosts', file);
  for (const [name, address] of Object.entries(HOSTS)) {
    appendFileSync(file, `\n${address} ${name}\n`);
  }
  execFileSync('mount', ['--bind', file, '/etc/hosts']);
}

/** Shows a folder as `/srv`, where the pages have what a host serves to those who sign in. */
export function showAsSrv(folder: string): void {
  execFileSync('mount', ['--bind', folder, '/srv']);
}

/** PEM files. */
export interface Certificate {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority and one certificate for all the names, made with openssl. */
export function makeCertificate(dir: string): Certificate {
  const path = (name: string): string => join(dir, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: 'ignore' });
  };
  const key = ['-newkey', 'rsa:2048', '-nodes'];
  openssl(
    ...['req', '-x509', ...key, '-days', '2', '-subj', '/CN=Docs CA'],
    ...['-keyout', path('ca-key.pem'), '-out', path('ca.pem')],
  );
  openssl(
    ...['req', ...key, '-subj', '/CN=docs'],
    ...['-keyout', path('key.pem'), '-out', path('request.pem')],
  );
  const names = Object.keys(HOSTS).map((name) => `DNS:${name}`);
  writeFileSync(path('names.cnf'), `subjectAltName=${names.join(',')}\n`);
  openssl(
    ...['x509', '-req', '-days', '2', '-in', path('request.pem'), '-out', path('cert.pem')],
    ...['-CA', path('ca.pem'), '-CAkey', path('ca-key.pem'), '-CAcreateserial'],
    ...['-extfile', path('names.cnf')],
  );
  return { caFile: path('ca.pem'), certFile: path('cert.pem'), keyFile: path('key.pem') };
}
