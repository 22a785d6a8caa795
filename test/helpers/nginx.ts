/**
 * A real nginx that serves a folder with directory indexes. In a test:
 *
 *     const nginx = await startNginx({ root: folder });
 *     ... nginx.url + '/' ...
 *     nginx.accessLog();                       // one line a request: status, bytes, range, path
 *     await nginx.stop();
 */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDebianProgram } from './debian.js';
import type { DebianProgram } from './debian.js';
import { freePort } from './ports.js';
import { acceptsConnections, scratchFolder, startProcess } from './processes.js';
import type { ServerProcess } from './processes.js';

/** nginx, the system's own or from Debian's package in the cache. */
export async function ensureNginx(onProgress: (line: string) => void): Promise<DebianProgram> {
  const packages = ['nginx', 'libpcre2-8-0', 'libcrypt1'];
  return ensureDebianProgram({ name: 'nginx', binary: '/usr/sbin/nginx', packages }, onProgress);
}

export interface NginxOptions {
  /** The folder that is served at `/`. */
  readonly root: string;
  readonly port?: number;
  /** The loopback address that it listens on; 127.0.0.1 by default. */
  readonly host?: string;
  /** More lines for the `http` block: `limit_conn_zone $binary_remote_addr zone=all:1m;`. */
  readonly http?: string;
  /** More lines for the `server` block: `limit_rate 1m;`, `location /private/ { return 403; }`. */
  readonly server?: string;
  /** More lines for the `location /` block; `autoindex on;` is there unless `autoindex` says other. */
  readonly location?: string;
  readonly autoindex?: boolean;
  /** What runs it, as `nsenter` does: a program and its arguments. */
  readonly runner?: readonly string[];
  /** TLS with this certificate and key (PEM files); `url` is https then. */
  readonly tls?: {
    readonly certFile: string;
    readonly keyFile: string;
    /** Clients must have a certificate of this authority. */
    readonly clientCaFile?: string;
  };
}

/** A line of the access log. */
export interface NginxRequest {
  readonly status: number;
  readonly bodyBytes: number;
  /** The Range header; empty when there was none. */
  readonly range: string;
  readonly method: string;
  /** Path and query as they were sent. */
  readonly target: string;
}

export interface Nginx extends ServerProcess {
  readonly url: string;
  readonly port: number;
  accessLog(): readonly NginxRequest[];
  /** Bytes of bodies served so far, of all paths or of those that contain `part`. */
  bytesServed(part?: string): number;
}

/** Starts an nginx as one process in the foreground on a free port. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const program = await ensureNginx((line) => process.stderr.write(`${line}\n`));
  const dir = scratchFolder('nginx');
  const port = options.port ?? (await freePort());
  const host = options.host ?? '127.0.0.1';
  const logFile = join(dir, 'access.log');
  await writeFile(join(dir, 'nginx.conf'), configOf(options, dir, `${host}:${port}`));
  const [command = '', ...before] = [...(options.runner ?? []), program.path];
  const server = await startProcess({
    name: 'nginx',
    command,
    args: [...before, '-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')],
    dir,
    env: program.env,
    isReady: () => acceptsConnections(port, host.replace(/^\[|\]$/g, '')),
  });
  const accessLog = (): readonly NginxRequest[] =>
    readFileSync(logFile, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [status = '', bytes = '', range = '', method = '', target = ''] = line.split('\t');
        return { status: Number(status), bodyBytes: Number(bytes), range, method, target };
      });
  return {
    ...server,
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}:${port}`,
    port,
    accessLog,
    bytesServed: (part = '') =>
      accessLog()
        .filter(({ target }) => target.includes(part))
        .reduce((sum, { bodyBytes }) => sum + bodyBytes, 0),
  };
}

function configOf(options: NginxOptions, dir: string, address: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${dir}/temp-${kind};`)
    .join('\n  ');
  const tls =
    options.tls === undefined
      ? ''
      : `ssl_certificate "${options.tls.certFile}"; ssl_certificate_key "${options.tls.keyFile}";${
          options.tls.clientCaFile === undefined
            ? ''
            : ` ssl_client_certificate "${options.tls.clientCaFile}"; ssl_verify_client on;`
        }`;
  return `daemon off;
master_process off;
pid "${dir}/nginx.pid";
events { worker_connections 512; }
http {
  ${temporary}
  ${options.http ?? ''}
  types { text/html html; text/plain txt; application/json json; }
  default_type application/octet-stream;
  log_format counted escape=none
    '$status\\t$body_bytes_sent\\t$http_range\\t$request_method\\t$request_uri';
  access_log "${dir}/access.log" counted;
  sendfile on;
  keepalive_requests 100000;
  server {
    listen ${address}${options.tls === undefined ? '' : ' ssl'};
    ${tls}
    root "${options.root}";
    ${options.server ?? ''}
    location / {
      autoindex ${options.autoindex === false ? 'off' : 'on'};
      ${options.location ?? ''}
    }
  }
}
`;
}
