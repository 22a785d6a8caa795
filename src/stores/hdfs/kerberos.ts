/** SPNEGO with a ticket of Kerberos, by the npm package `kerberos`, which whoever needs it installs beside this one. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { WaybillError } from '../../model/errors.js';
import type { ConnectionSettings } from '../store.js';
import { findPackage } from './kerberos-package.js';
import type { TicketQuestion } from './kerberos-ticket.js';
import type { Negotiate } from './negotiate.js';
import { KERBEROS_VARIABLES } from './variables.js';

/** A KDC that does not answer is asked for about a minute by the library itself. */
const TIMEOUT_MS = 90_000;
const MAX_SHOWN_CHARACTERS = 300;

const CHILD = fileURLToPath(new URL('./kerberos-ticket.js', import.meta.url));

const Answer = z.union([
  z.object({ token: z.string().min(1) }),
  z.object({ failure: z.enum(['absent', 'refused']), said: z.string() }),
]);

/**
 * Gives tokens for name nodes, of the ticket that the settings name: MLFLOW_KERBEROS_TICKET_CACHE (else KRB5CCNAME, else the
 * default one) and in it MLFLOW_KERBEROS_USER.
 * @param module the npm package
 */
export function negotiateWith(settings: ConnectionSettings, module = 'kerberos'): Negotiate {
  return async (endpoint, signal) => {
    const principal = settings['MLFLOW_KERBEROS_USER']?.trim() ?? '';
    const question: TicketQuestion = {
      module: findPackage(module),
      service: `HTTP@${endpoint.hostname}`,
      ...(principal === '' ? {} : { principal }),
    };
    const { data } = Answer.safeParse(await ask(question, variablesOf(settings), signal));
    if (data !== undefined && 'token' in data) return `Negotiate ${data.token}`;
    const { failure, said } = data ?? { failure: 'refused', said: 'no token came' };
    throw refusal(endpoint, failure, said, whose(settings));
  };
}

function variablesOf(settings: ConnectionSettings): Record<string, string> {
  const own = KERBEROS_VARIABLES.flatMap((name) => {
    const value = settings[name]?.trim() ?? '';
    return value === '' ? [] : [[name, value] as const];
  });
  const cache = settings['MLFLOW_KERBEROS_TICKET_CACHE']?.trim() ?? '';
  return { ...Object.fromEntries(own), ...(cache === '' ? {} : { KRB5CCNAME: cache }) };
}

function whose(settings: ConnectionSettings): string {
  const name = ['MLFLOW_KERBEROS_TICKET_CACHE', 'KRB5CCNAME'].find(
    (one) => (settings[one]?.trim() ?? '') !== '',
  );
  const cache = name === undefined ? 'the default cache' : `${settings[name] ?? ''} (${name})`;
  const user = settings['MLFLOW_KERBEROS_USER']?.trim() ?? '';
  return user === '' ? cache : `${user} (MLFLOW_KERBEROS_USER) in ${cache}`;
}

/** What the process says; undefined: it ended otherwise. */
function ask(
  question: TicketQuestion,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const options = {
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
      env,
      ...(signal && { signal }),
    } as const;
    execFile(process.execPath, [CHILD, JSON.stringify(question)], options, (error, out, err) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      try {
        resolve(JSON.parse(out));
      } catch {
        resolve({ failure: 'refused', said: err.trim() || (error?.message ?? 'it said nothing') });
      }
    });
  });
}

function refusal(
  { origin, hostname }: URL,
  failure: 'absent' | 'refused',
  text: string,
  ticket: string,
): WaybillError {
  const said = text.replace(/\s+/g, ' ').trim().slice(0, MAX_SHOWN_CHARACTERS);
  const context = { operation: 'negotiate', store: 'hdfs', scope: 'source' } as const;
  if (/Cannot (contact any|find) KDC/i.test(said)) {
    const message = `no server of Kerberos answers, and ${origin} wants a ticket: check KRB5_CONFIG (/etc/krb5.conf) (${said})`;
    return new WaybillError('WB_UNAVAILABLE', message, context);
  }
  const what =
    failure === 'absent'
      ? 'what speaks Kerberos is not here: npm install the package kerberos beside waybill, or globally (npm install --global kerberos@7), and the system package libgssapi-krb5-2 (krb5-libs), or set HADOOP_TOKEN_FILE_LOCATION to a delegation token (hdfs fetchdt)'
      : /not found in Kerberos database/i.test(said)
        ? `the realm knows no service HTTP/${hostname}: name the name node as dfs.web.authentication.kerberos.principal does`
        : `no ticket for it in ${ticket}: run kinit, and klist to see what is there`;
  return new WaybillError(
    'WB_UNAUTHENTICATED',
    `${origin} wants Kerberos: ${what} (${said})`,
    context,
  );
}
