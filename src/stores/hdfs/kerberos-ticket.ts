/**
 * A process that makes one SPNEGO token and ends: the native library reads which ticket to take from its environment, once for
 * a whole process, and two sources may take different ones. Its argument is a {@link TicketQuestion}, what it prints a
 * {@link TicketAnswer}.
 */
import { createRequire } from 'node:module';

/** What is asked. */
export interface TicketQuestion {
  /** The npm package: its name, or where it lies. */
  readonly module: string;
  /** `HTTP@host`. */
  readonly service: string;
  /** `ada`, `ada@REALM`; absent: whoever the ticket is for. */
  readonly principal?: string;
}

/** What is answered. */
export type TicketAnswer =
  | { readonly token: string }
  /** `absent`: the package, or the system's Kerberos library. */
  | { readonly failure: 'absent' | 'refused'; readonly said: string };

/** What is used of the package `kerberos`. */
interface Kerberos {
  readonly GSS_MECH_OID_SPNEGO: number;
  initializeClient(
    service: string,
    options: { readonly mechOID: number; readonly principal?: string },
  ): Promise<{ readonly response: string | null; step(challenge: string): Promise<string> }>;
}

async function answer({ module, service, principal }: TicketQuestion): Promise<TicketAnswer> {
  let kerberos: Kerberos;
  try {
    kerberos = createRequire(import.meta.url)(module) as Kerberos;
  } catch (error) {
    return { failure: 'absent', said: textOf(error) };
  }
  try {
    const mechOID = kerberos.GSS_MECH_OID_SPNEGO;
    const named = principal === undefined ? {} : { principal };
    const client = await kerberos.initializeClient(service, { mechOID, ...named });
    await client.step('');
    return { token: client.response ?? '' };
  } catch (error) {
    const said = textOf(error);
    return { failure: /cannot open shared object/.test(said) ? 'absent' : 'refused', said };
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const question = JSON.parse(process.argv[2] ?? '{}') as TicketQuestion;
process.stdout.write(JSON.stringify(await answer(question)));
