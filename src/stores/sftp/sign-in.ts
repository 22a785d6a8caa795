/** Who is asking: the ways to sign in, in the order of OpenSSH, and what came of each. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import ssh2 from 'ssh2';
import type {
  AnyAuthMethod,
  AuthenticationType,
  AuthHandlerMiddleware,
  BaseAgent,
  ParsedKey,
} from 'ssh2';
import { errnoOf } from '../../model/errno.js';
import { asError } from '../lib/as-error.js';
import type { ConnectionSecrets } from '../store.js';
import type { SftpTarget } from './config.js';
import { connectError } from './errors.js';

/** A way to sign in. */
interface Attempt {
  /** For the error: `the key ~/.ssh/id_ed25519`. */
  readonly name: string;
  /** What the server must offer. */
  readonly needs: AuthenticationType;
  readonly method: AnyAuthMethod;
}

/** The ways that there are, and why others are none. */
export interface SignIn {
  readonly handler: AuthHandlerMiddleware;
  /** `tried the agent (2 keys); it takes publickey; ~/.ssh/id_rsa is encrypted: ...` */
  describe(): string;
}

/** Gathers what this machine has for a server. A key file that was named and cannot be read is WB_CONFIG_INVALID. */
export async function prepareSignIn(
  target: SftpTarget,
  secrets: ConnectionSecrets,
): Promise<SignIn> {
  const notes: string[] = [];
  const keys = await readKeys(target, secrets, notes);
  const attempts = [
    ...(await agentAttempts(target, keys, notes)),
    ...keys.flatMap(({ attempt }) => (attempt === undefined ? [] : [attempt])),
    ...passwordAttempts(target, secrets),
  ];
  return signInWith(target.user, attempts, notes);
}

function signInWith(
  username: string,
  attempts: readonly Attempt[],
  notes: readonly string[],
): SignIn {
  const waiting = [...attempts];
  const tried: string[] = [];
  let offered: readonly string[] = [];
  let isFirst = true;
  return {
    handler: (left, _isPartial, next) => {
      // Null at first; whoever lets everybody in says so to `none`, and the others what they take.
      if (isFirst) {
        isFirst = false;
        next({ type: 'none', username });
        return;
      }
      const takes = left as readonly AuthenticationType[] | null;
      if (takes !== null) offered = takes;
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
        if (takes !== null && !takes.includes(one.needs)) continue;
        tried.push(one.name);
        next(one.method);
        return;
      }
      // The library's word for "nothing is left", which its types lack.
      next(false as unknown as AuthenticationType);
    },
    describe: () => {
      const what =
        tried.length === 0 ? 'nothing that it takes is here' : `tried ${tried.join(', ')}`;
      const takes = offered.length === 0 ? [] : [`it takes ${offered.join(', ')}`];
      return [what, ...takes, ...notes].join('; ');
    },
  };
}

interface KeyFile {
  readonly attempt?: Attempt;
  /** The public key in the form of SSH, where it could be read. */
  readonly publicKey?: Buffer;
}

async function readKeys(
  target: SftpTarget,
  secrets: ConnectionSecrets,
  notes: string[],
): Promise<KeyFile[]> {
  const found: KeyFile[] = [];
  for (const file of target.keyFiles) {
    let bytes: Buffer;
    try {
      bytes = await readFile(file);
    } catch (cause) {
      const code = errnoOf(cause);
      if (!target.areKeysNamed && code === 'ENOENT') continue;
      if (code === 'ENOENT') notes.push(`${shownPath(file)} does not exist`);
      else notes.push(`${shownPath(file)} cannot be read (${String(code)})`);
      continue;
    }
    found.push(await keyOf(file, bytes, target.user, secrets, notes));
  }
  return found;
}

async function keyOf(
  file: string,
  bytes: Buffer,
  username: string,
  secrets: ConnectionSecrets,
  notes: string[],
): Promise<KeyFile> {
  const passphrase = secrets['WAYBILL_SFTP_KEY_PASSPHRASE'];
  const key = firstKey(ssh2.utils.parseKey(bytes, passphrase));
  if (key instanceof Error) {
    const isLocked = /passphrase|decrypt|integrity/i.test(key.message);
    notes.push(
      isLocked
        ? `${shownPath(file)} is encrypted: ${passphrase === undefined ? 'set WAYBILL_SFTP_KEY_PASSPHRASE, or ssh-add it' : 'WAYBILL_SFTP_KEY_PASSPHRASE does not open it'}`
        : `${shownPath(file)} is no private key that can be used`,
    );
    const published = firstKey(
      ssh2.utils.parseKey(await readFile(`${file}.pub`).catch(() => Buffer.from('none'))),
    );
    return published instanceof Error ? {} : { publicKey: published.getPublicSSH() };
  }
  return {
    publicKey: key.getPublicSSH(),
    attempt: {
      name: `the key ${shownPath(file)}`,
      needs: 'publickey',
      method: { type: 'publickey', username, key },
    },
  };
}

/** Of a file with several keys the first counts; the library gives a list then. */
function firstKey(parsed: ParsedKey | Error): ParsedKey | Error {
  return Array.isArray(parsed) ? (parsed[0] as ParsedKey) : parsed;
}

async function agentAttempts(
  target: SftpTarget,
  keys: readonly KeyFile[],
  notes: string[],
): Promise<Attempt[]> {
  const { agent: socket, user: username } = target;
  if (socket === undefined) return [];
  const agent = ssh2.createAgent(socket);
  let identities: ParsedKey[];
  try {
    identities = await identitiesOf(agent);
  } catch (cause) {
    notes.push(
      `the agent at ${socket} does not answer (${errnoOf(cause) ?? asError(cause).message})`,
    );
    return [];
  }
  const isWanted = (one: ParsedKey): boolean =>
    !target.identitiesOnly || keys.some(({ publicKey }) => publicKey?.equals(one.getPublicSSH()));
  const wanted = identities.filter(isWanted);
  if (wanted.length === 0) {
    notes.push(`the agent has no key${target.identitiesOnly ? ' that was named' : ''}`);
    return [];
  }
  return [
    {
      name: `the agent (${wanted.length === 1 ? '1 key' : `${wanted.length} keys`})`,
      needs: 'publickey',
      method: { type: 'agent', username, agent: only(agent, wanted) },
    },
  ];
}

function identitiesOf(agent: BaseAgent): Promise<ParsedKey[]> {
  return new Promise((resolve, reject) => {
    agent.getIdentities((error, keys) => {
      if (error) reject(error);
      else resolve((keys ?? []) as ParsedKey[]);
    });
  });
}

/** The agent, with some of its keys. */
function only(agent: BaseAgent, keys: ParsedKey[]): BaseAgent {
  const chosen = Object.create(ssh2.BaseAgent.prototype as object) as BaseAgent;
  return Object.assign(chosen, {
    getIdentities: (done: (error: undefined, keys: ParsedKey[]) => void) => done(undefined, keys),
    sign: agent.sign.bind(agent),
  });
}

function passwordAttempts({ user: username }: SftpTarget, secrets: ConnectionSecrets): Attempt[] {
  const variable = ['WAYBILL_SFTP_PASSWORD', 'SSHPASS'].find(
    (name) => (secrets[name] ?? '') !== '',
  );
  if (variable === undefined) return [];
  const password = secrets[variable] ?? '';
  return [
    {
      name: `the password of ${variable}`,
      needs: 'password',
      method: { type: 'password', username, password },
    },
    {
      name: `the password of ${variable} where it is asked for`,
      needs: 'keyboard-interactive',
      method: {
        type: 'keyboard-interactive',
        username,
        // A question that shows what is typed is none for a password.
        prompt: (_name, _instructions, _language, prompts, finish) =>
          finish(prompts.map(({ echo }) => (echo === true ? '' : password))),
      },
    },
  ];
}

function shownPath(file: string): string {
  const home = homedir();
  return file.startsWith(`${home}/`) ? `~${file.slice(home.length)}` : file;
}

/** The error of a sign-in that came to nothing. */
export function refusedSignIn(
  shown: string,
  { user }: SftpTarget,
  signIn: SignIn,
  cause: unknown,
): Error {
  return connectError(
    'WB_UNAUTHENTICATED',
    `${shown} does not let the user "${user}" in: ${signIn.describe()}. Try \`ssh ${user}@...\`, ` +
      'or set WAYBILL_SFTP_KEY_FILE or WAYBILL_SFTP_PASSWORD',
    { cause, advice: '' },
  );
}
