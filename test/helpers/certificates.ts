/**
 * An authority of a test's own, made with openssl. In a test:
 *
 *     const authority = makeAuthority(folder);
 *     const server = authority.issue('server');                 // for 127.0.0.1 and localhost
 *     const client = authority.issue('ada');                    // a client certificate
 *     ... authority.certFile, server.certFile, server.keyFile, client.bundleFile (both) ...
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate with its key; PEM files. */
export interface Issued {
  readonly certFile: string;
  readonly keyFile: string;
  /** Both in one file, as MLFLOW_TRACKING_CLIENT_CERT_PATH has it. */
  readonly bundleFile: string;
}

export interface IssueOptions {
  /** `IP:127.0.0.1,DNS:localhost` by default. */
  readonly names?: string;
  /** It ended yesterday. */
  readonly isExpired?: boolean;
  /** Encrypts the key. */
  readonly password?: string;
}

export interface Authority {
  readonly certFile: string;
  issue(name: string, options?: IssueOptions): Issued;
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

/** Makes an authority whose files lie in `folder`. */
export function makeAuthority(folder: string, name = 'authority'): Authority {
  const certFile = join(folder, `${name}.crt`);
  const keyFile = join(folder, `${name}.key`);
  const subject = ['-subj', `/CN=Waybill test ${name}`];
  openssl(
    ['req', '-x509', ...KEY, '-nodes', '-days', '2', ...subject, '-keyout', keyFile],
    certFile,
  );
  const issue = (of: string, options: IssueOptions = {}): Issued => {
    const { names = 'IP:127.0.0.1,DNS:localhost', isExpired = false, password } = options;
    const own = (ending: string): string => join(folder, `${name}-${of}.${ending}`);
    const locked = password === undefined ? ['-nodes'] : ['-passout', `pass:${password}`];
    openssl(
      [
        ...['req', ...KEY, ...locked, '-subj', `/CN=${of}`, '-addext', `subjectAltName=${names}`],
        ...['-keyout', own('key')],
      ],
      own('csr'),
    );
    openssl(
      [
        ...['x509', '-req', '-in', own('csr'), '-copy_extensions', 'copyall', '-CA', certFile],
        ...['-CAkey', keyFile, '-days', isExpired ? '-1' : '2'],
      ],
      own('crt'),
    );
    const texts = [own('crt'), own('key')].map((file) => readFileSync(file, 'utf8'));
    writeFileSync(own('pem'), texts.join(''));
    return { certFile: own('crt'), keyFile: own('key'), bundleFile: own('pem') };
  };
  return { certFile, issue };
}

function openssl(args: readonly string[], out: string): void {
  execFileSync('openssl', [...args, '-out', out], { stdio: 'pipe' });
}
