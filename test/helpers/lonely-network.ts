/**
 * A network namespace with one cable, to this host, and a witness of every packet that goes through it. In a test (as root):
 *
 *     const network = await startLonelyNetwork();
 *     ... a server that listens on network.hostAddress ...
 *     ... network.runner as the beginning of a command line ...
 *     network.destinations();                // `10.213.7.1:8080/tcp`, `10.213.7.1:53/udp`
 *     await network.stop();
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder, startProcess } from './processes.js';

/** Writes the destination of each packet that comes out of the namespace; ARP and the kernel's own ICMPv6 are no traffic. */
const WITNESS = `
import socket, sys
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
link.bind((sys.argv[1], 0))
print('listening', flush=True)
while True:
    frame, where = link.recvfrom(65535)
    if where[2] == socket.PACKET_OUTGOING: continue
    kind = frame[12:14]
    if kind == b'\\x08\\x00':
        head = (frame[14] & 15) * 4
        protocol, to, rest = frame[23], socket.inet_ntoa(frame[30:34]), frame[14 + head:]
    elif kind == b'\\x86\\xdd':
        protocol, to, rest = frame[20], socket.inet_ntop(socket.AF_INET6, frame[38:54]), frame[54:]
    else: continue
    if protocol in (58, 0): continue
    name = {6: 'tcp', 17: 'udp'}.get(protocol, str(protocol))
    port = int.from_bytes(rest[2:4], 'big')
    # What is asked of a name server tells who asks.
    asked = rest[20:] if name == 'udp' and port == 53 else b''
    labels = []
    while asked and asked[0]:
        labels.append(asked[1:1 + asked[0]].decode('latin1')); asked = asked[1 + asked[0]:]
    print('%s:%d/%s%s' % (to, port, name, ''.join(' ' + '.'.join(labels) for _ in labels[:1])), flush=True)
`;

export interface LonelyNetwork {
  /** This host's end of the cable: the only address that answers there, and its gateway and name server. */
  readonly hostAddress: string;
  /** Runs what follows in the namespace. */
  readonly runner: readonly string[];
  /** Where packets were sent, each once, in order of first sight. */
  destinations(): readonly string[];
  stop(): Promise<void>;
}

/** Makes it; it goes with this process, however that ends. */
export async function startLonelyNetwork(): Promise<LonelyNetwork> {
  const dir = scratchFolder('lonely');
  const pidFile = join(dir, 'pid');
  const holder = await startProcess({
    name: 'holder',
    command: 'unshare',
    args: ['--net', '--mount', 'sh', '-c', `echo $$ >${pidFile}; exec sleep infinity`],
    dir,
    isReady: () => Promise.resolve(existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== ''),
  });
  const pid = readFileSync(pidFile, 'utf8').trim();
  const runner = ['nsenter', '--target', pid, '--net', '--mount'];
  const outer = `wb${pid}`;
  const net = Number(pid) % 250;
  const [hostAddress, ownAddress] = [`10.213.${net}.1`, `10.213.${net}.2`];
  const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'pipe' });
  const inside = (...args: string[]): void => {
    const [program = '', ...rest] = [...runner, ...args];
    execFileSync(program, rest, { stdio: 'pipe' });
  };
  ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', 'cable', 'netns', pid);
  ip('address', 'add', `${hostAddress}/30`, 'dev', outer);
  ip('link', 'set', outer, 'up');
  const witness = await startProcess({
    name: 'witness',
    command: 'python3',
    args: ['-c', WITNESS, outer],
    dir,
    isReady: () =>
      Promise.resolve(/listening/.test(readFileSync(join(dir, 'witness.log'), 'utf8'))),
  });
  inside('ip', 'link', 'set', 'lo', 'up');
  inside('ip', 'address', 'add', `${ownAddress}/30`, 'dev', 'cable');
  inside('ip', 'link', 'set', 'cable', 'up');
  inside('ip', 'route', 'add', 'default', 'via', hostAddress);
  writeFileSync(join(dir, 'resolv.conf'), `nameserver ${hostAddress}\n`);
  inside('mount', '--bind', join(dir, 'resolv.conf'), '/etc/resolv.conf');
  return {
    hostAddress,
    runner,
    destinations: () => {
      const lines = readFileSync(join(dir, 'witness.log'), 'utf8').split('\n');
      return [...new Set(lines.filter((line) => line.includes('/')))];
    },
    stop: async () => {
      await witness.stop();
      await holder.stop();
    },
  };
}
