/** Who the server is and who is asking: host keys, keys, agents, passwords, against a real sshd. */
import { execFileSync, spawn } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { splitSecrets } from '../../../src/model/artifact-uri.js';
import { WaybillError } from '../../../src/model/errors.js';
import type { Store } from '../../../src/stores/store.js';
import { sftp } from '../../../src/stores/sftp/index.js';
import { scratchFolder } from '../../helpers/processes.js';
import {
  makeKey,
  SSHD_PASSWORD,
  SSHD_USER,
  sshTool,
  sshToolPath,
  startSshd,
  type Sshd,
} from '../../helpers/sshd.js';
import { openSftp, seedFolder, type OpenSftpOptions } from './testbed.js';

const LONG_MS = 120_000;
const EMPTY = { WAYBILL_SFTP_KEY_FILE: '/nonexistent/key' };

let sshd: Sshd;
let base: string;
const stops: (() => Promise<void>)[] = [];

beforeAll(async () => {
  sshd = await startSshd();
  base = scratchFolder('sftp-sign-in');
  await seedFolder(base, [{ path: 'w.bin', bytes: Buffer.from('weights') }]);
}, LONG_MS);

afterAll(async () => {
  for (const stop of stops) await stop();
  await sshd.stop();
  await rm(base, { recursive: true, force: true });
}, LONG_MS);

/** What a store says of the one file; an error is the answer too. */
async function ask(options: OpenSftpOptions = {}, server = sshd): Promise<string> {
  let store: Store | undefined;
  try {
    store = await openSftp(server, base, options);
    return `${(await store.stat('w.bin')).sizeBytes} bytes`;
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    const text = `${error.code}: ${error.message}`;
    expect(text).not.toContain(SSHD_PASSWORD);
    return text;
  } finally {
    await store?.close();
  }
}

/** A `known_hosts` of these lines. */
async function knownHosts(...lines: string[]): Promise<Record<string, string>> {
  const file = join(base, `known-${randomBytes(4).toString('hex')}`);
  await writeFile(file, lines.map((line) => `${line}\n`).join(''));
  return { WAYBILL_SFTP_KNOWN_HOSTS_FILE: file };
}

describe('the key of the host', () => {
  const name = (): string => `[127.0.0.1]:${sshd.port}`;

  it('is taken where it is known, under its port', async () => {
    expect(await ask({ settings: await knownHosts(`${name()} ${sshd.hostKey}`) })).toBe('7 bytes');
  });

  it('is taken under a hashed name', async () => {
    const salt = randomBytes(20);
    const hash = createHmac('sha1', salt).update(name()).digest('base64');
    const line = `|1|${salt.toString('base64')}|${hash} ${sshd.hostKey}`;
    expect(await ask({ settings: await knownHosts('# a comment', line) })).toBe('7 bytes');
  });

  it('is taken from what ssh-keyscan writes, as the message says', async () => {
    const settings = await knownHosts();
    const said = await ask({ settings });
    const [, port = '', file = ''] =
      /run `ssh-keyscan -p (\d+) 127\.0\.0\.1 >> (\S+)`/u.exec(said) ?? [];
    expect(file).toBe(settings['WAYBILL_SFTP_KNOWN_HOSTS_FILE']);
    const scanned = await sshTool('ssh-keyscan', ['-p', port, '127.0.0.1']);
    await appendFile(file, scanned.output);
    expect(await ask({ settings })).toBe('7 bytes');
  });

  it('that is not known is refused with its fingerprint', async () => {
    const shown = await sshTool('ssh-keygen', ['-l', '-f', join(sshd.dir, 'host_key.pub')]);
    const fingerprint = /SHA256:\S+/u.exec(shown.output)?.[0] ?? 'none';
    const other = await makeKey(join(base, 'other-host'));
    // Known for another port, for another host, and for this one as what must not match.
    const settings = await knownHosts(
      `127.0.0.1 ${sshd.hostKey}`,
      `[127.0.0.1]:${sshd.port + 1} ${sshd.hostKey}`,
      `[127.0.0.*]:*,!${name()} ${sshd.hostKey}`,
      `example.org ${other}`,
    );
    const said = await ask({ settings });
    expect(said).toMatch(/^WB_UNAVAILABLE: .*has a host key that is not known/u);
    expect(said).toContain(fingerprint);
  });

  it('that has changed is refused with the line of the old one', async () => {
    const other = await makeKey(join(base, 'old-host'));
    const settings = await knownHosts('# first line', `${name()} ${other}`);
    const said = await ask({ settings });
    expect(said).toMatch(/^WB_UNAVAILABLE: .*has another host key than .*:2 says/u);
    expect(said).toContain(`-R '${name()}'`);
  });

  it('of the kind that is known is asked for, where the server has several', async () => {
    const several = await startSshd({ otherHostKeys: ['rsa', 'ecdsa'] });
    stops.push(several.stop);
    for (const type of ['rsa', 'ecdsa']) {
      const line = await readFile(join(several.dir, `host_key_${type}.pub`), 'utf8');
      const settings = await knownHosts(`[127.0.0.1]:${several.port} ${line.trim()}`);
      expect(await ask({ settings }, several)).toBe('7 bytes');
    }
  });

  it('that is revoked, or known through an authority only, is refused', async () => {
    const known = `${name()} ${sshd.hostKey}`;
    const revoked = await ask({ settings: await knownHosts(`@revoked * ${sshd.hostKey}`, known) });
    expect(revoked).toMatch(/^WB_UNAVAILABLE: .*revoked in .*:1/u);
    const authority = await makeKey(join(base, 'authority'));
    const said = await ask({ settings: await knownHosts(`@cert-authority * ${authority}`) });
    expect(said).toMatch(/^WB_UNAVAILABLE: .*certificate authority \(.*:1\)/u);
  });
});

describe('the sign-in', () => {
  it('names what was tried, and what the server takes', async () => {
    const stranger = join(base, 'stranger');
    await makeKey(stranger);
    const said = await ask({
      settings: { WAYBILL_SFTP_KEY_FILE: stranger },
      secrets: { WAYBILL_SFTP_PASSWORD: 'a wrong password' },
    });
    expect(said).toMatch(/^WB_UNAUTHENTICATED: .*does not let the user "waybill" in/u);
    expect(said).toContain(`the key ${stranger}`);
    expect(said).toContain('the password of WAYBILL_SFTP_PASSWORD');
    expect(said).toMatch(/it takes publickey/u);
  });

  it('by a password, of either variable', async () => {
    for (const name of ['WAYBILL_SFTP_PASSWORD', 'SSHPASS']) {
      expect(await ask({ settings: EMPTY, secrets: { [name]: SSHD_PASSWORD } })).toBe('7 bytes');
    }
  });

  it('by a key with a passphrase, which the error asks for', async () => {
    const file = join(base, 'locked');
    const locked = await makeKey(file, 'open sesame');
    await appendFile(join(sshd.dir, 'authorized_keys'), `${locked}\n`);
    const settings = { WAYBILL_SFTP_KEY_FILE: file };
    expect(await ask({ settings })).toContain('is encrypted: set WAYBILL_SFTP_KEY_PASSPHRASE');
    const wrong = { WAYBILL_SFTP_KEY_PASSPHRASE: 'open barley' };
    expect(await ask({ settings, secrets: wrong })).toMatch(
      /^WB_UNAUTHENTICATED.*does not open it/u,
    );
    const right = { WAYBILL_SFTP_KEY_PASSPHRASE: 'open sesame' };
    expect(await ask({ settings, secrets: right })).toBe('7 bytes');
  });

  it('by an RSA key, and by an agent that holds a key alone', async () => {
    const file = join(base, 'rsa');
    const rsa = await makeKey(file, '', 'rsa');
    await appendFile(join(sshd.dir, 'authorized_keys'), `${rsa}\n`);
    expect(await ask({ settings: { WAYBILL_SFTP_KEY_FILE: file } })).toBe('7 bytes');
    const socket = await startAgent(file);
    const config = join(base, 'agent-config');
    await writeFile(config, 'Host *\n  IdentityFile none\n');
    const settings = {
      SSH_AUTH_SOCK: socket,
      WAYBILL_SFTP_KEY_FILE: '',
      WAYBILL_SFTP_CONFIG_FILE: config,
    };
    expect(await ask({ settings })).toBe('7 bytes');
    const nobody = { ...settings, WAYBILL_SFTP_IDENTITY: 'none' };
    expect(await ask({ settings: nobody })).toMatch(/^WB_UNAUTHENTICATED: /u);
    const gone = await ask({ settings: { ...settings, SSH_AUTH_SOCK: join(base, 'gone') } });
    expect(gone).toMatch(/^WB_UNAUTHENTICATED: .*the agent at .*gone does not answer/u);
  });
});

/** An agent that holds one key. @returns its socket */
async function startAgent(keyFile: string): Promise<string> {
  const socket = join(base, 'agent.sock');
  const agent = await sshToolPath('ssh-agent');
  const child = spawn(agent, ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.stdout.once('data', () => resolve());
  });
  stops.push(async () => {
    child.kill();
    await Promise.resolve();
  });
  const adder = await sshToolPath('ssh-add');
  const added = await new Promise<number | null>((resolve, reject) => {
    const add = spawn(adder, ['-q', keyFile], {
      env: { ...process.env, SSH_AUTH_SOCK: socket },
      stdio: 'ignore',
    });
    add.once('error', reject);
    add.once('close', resolve);
  });
  expect(added).toBe(0);
  return socket;
}

describe('~/.ssh/config', () => {
  const withConfig = async (text: string): Promise<Record<string, string>> => {
    const file = join(base, `config-${randomBytes(4).toString('hex')}`);
    await writeFile(file, text);
    return { ...sshd.settings, WAYBILL_SFTP_CONFIG_FILE: file, WAYBILL_SFTP_KEY_FILE: '' };
  };
  const statAt = async (uri: string, settings: Record<string, string>): Promise<string> => {
    const store = await sftp.open({ uri, settings, secrets: {} });
    try {
      return `${(await store.stat('')).sizeBytes} bytes`;
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      return `${error.code}: ${error.message}`;
    } finally {
      await store.close();
    }
  };

  it('says where a name is, who is asking and with which key', async () => {
    await writeFile(join(base, 'more'), `IdentityFile ${sshd.keyFile}\n`);
    const settings = await withConfig(
      `Host other\n  Port 1\nMatch user nobody\n  Port 2\n` +
        `Host lab !lab2 models-?\n  HostName 127.0.0.1\n  User=${SSHD_USER}\n  Port ${sshd.port}\n` +
        `  Include "${join(base, 'mor?')}"\nHost *\n  Port 3\n`,
    );
    expect(await statAt(`sftp://models-1${base}/w.bin`, settings)).toBe('7 bytes');
    expect(await statAt(`sftp://lab2${base}/w.bin`, settings)).toMatch(
      /^WB_(UNAVAILABLE|TIMEOUT)/u,
    );
  });

  it('with a jump host is refused with the tunnel to open, and what to call its end', async () => {
    const settings = await withConfig('Host lab\n  HostName gpu-01\n  ProxyJump gate\n');
    expect(await statAt(`sftp://lab${base}/w.bin`, settings)).toMatch(
      /^WB_UNSUPPORTED: .*ProxyJump gate.*ssh -N -L 2222:localhost:22 lab.*"HostKeyAlias gpu-01"/u,
    );
  });

  it('may name the key of the host that is behind a tunnel, whatever the port of the tunnel', async () => {
    const tunnel = await withConfig(
      `Host tunnel\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  HostKeyAlias GPU-01\n  User ${SSHD_USER}\n  IdentityFile ${sshd.keyFile}\n`,
    );
    const settings = { ...tunnel, ...(await knownHosts(`gpu-01 ${sshd.hostKey}`)) };
    expect(await statAt(`sftp://tunnel${base}/w.bin`, settings)).toBe('7 bytes');

    // Where it is not known, what the message says makes it so.
    const empty = { ...tunnel, ...(await knownHosts()) };
    const said = await statAt(`sftp://tunnel${base}/w.bin`, empty);
    const command = /run `([^`]+)`/u.exec(said)?.[1] ?? `echo ${said}`;
    const tools = dirname(await sshToolPath('ssh-keyscan'));
    const env = { ...process.env, PATH: `${tools}:${process.env['PATH'] ?? ''}` };
    execFileSync('sh', ['-c', command], { env, stdio: 'ignore' });
    expect(await statAt(`sftp://tunnel${base}/w.bin`, empty)).toBe('7 bytes');
  });
});

describe('addresses', () => {
  it('keep the user and lose the password', () => {
    expect(splitSecrets('sftp://me:pw@host:22/a')).toEqual({
      uri: 'sftp://me@host:22/a',
      secrets: { password: 'pw' },
    });
    expect(splitSecrets('sftp://me@host/a')).toEqual({ uri: 'sftp://me@host/a', secrets: {} });
  });

  it.each([
    ['sftp://me@host/a b', /^it opens$/u],
    ['sftp://host/~/a', /^it opens$/u],
    ['sftp://[::1]:2222/a', /^it opens$/u],
    ['sftp:/host/a', /^WB_USAGE: .*write sftp/u],
    ['sftp://host:99999/a', /^WB_USAGE: .*no port/u],
    ['sftp://me:secret@host/a', /^WB_USAGE: .*WAYBILL_SFTP_PASSWORD/u],
    ['sftp://host/a?b', /^WB_USAGE: .*%3F/u],
    ['sftp://host/100%', /^WB_USAGE: .*%25/u],
    ['sftp://host/~/../a', /^WB_USAGE: .*home folder/u],
  ])('%s', async (uri, expected) => {
    const said = await sftp.open({ uri, settings: {}, secrets: {} }).then(
      (store) => store.close().then(() => 'it opens'),
      (error: unknown) => {
        if (!(error instanceof WaybillError)) throw error;
        return `${error.code}: ${error.message}`;
      },
    );
    expect(said).toMatch(expected);
    expect(said).not.toContain('secret');
  });

  it('with a password are refused, wherever it was split off', async () => {
    const open = sftp.open({ uri: 'sftp://me@host/a', settings: {}, secrets: { password: 'pw' } });
    await expect(open).rejects.toMatchObject({ code: 'WB_CONFIG_INVALID' });
  });
});

it('a password is asked for by the server in words (keyboard-interactive)', async () => {
  const { default: ssh2 } = await import('ssh2');
  const hostKey = await readFile(join(sshd.dir, 'host_key'));
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    client.on('error', () => undefined);
    client.on('authentication', (context) => {
      if (context.method !== 'keyboard-interactive') {
        context.reject(['keyboard-interactive']);
        return;
      }
      context.prompt([{ prompt: 'Password: ', echo: false }], ([answer]) => {
        if (answer === SSHD_PASSWORD) context.accept();
        else context.reject();
      });
    });
    client.on('session', (accept) => {
      accept().on('sftp', (_accept, reject) => reject());
    });
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve(Number(Reflect.get(server.address() as object, 'port')));
    });
  });
  try {
    const secrets = { WAYBILL_SFTP_PASSWORD: SSHD_PASSWORD };
    const settings = { ...EMPTY };
    // Past the sign-in it has no SFTP, and says so.
    expect(await ask({ port, settings, secrets })).toMatch(/^WB_UNSUPPORTED: .*not to SFTP/u);
    const wrong = await ask({ port, settings, secrets: { WAYBILL_SFTP_PASSWORD: 'no' } });
    expect(wrong).toMatch(/^WB_UNAUTHENTICATED: .*where it is asked for/u);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
});

it('a server that lets nobody else in for now asks for fewer connections', async () => {
  const busy = await startSshd({ config: 'MaxStartups 1\nLoginGraceTime 100' });
  stops.push(busy.stop);
  const idle = await takeThePlace(busy.port);
  try {
    expect(await ask({}, busy)).toMatch(/^WB_(RATE_LIMITED|UNAVAILABLE): /u);
  } finally {
    idle.destroy();
  }
});

/**
 * A connection that holds the one place of those who have not signed in yet. Whoever asked whether the server listens
 * may hold it a moment longer: so long the server only says `Exceeded MaxStartups`.
 */
async function takeThePlace(port: number): Promise<Socket> {
  for (let tries = 0; tries < 1_000; tries += 1) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    const said = await new Promise<string>((resolve) => {
      socket.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1')));
      socket.once('close', () => resolve(''));
    });
    if (said.startsWith('SSH-')) return socket;
    socket.destroy();
    await sleep(20);
  }
  throw new Error('the place was waited for in vain');
}
