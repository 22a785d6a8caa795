/**
 * Hosts of their own on one machine, as root: network namespaces with addresses, names and shaped links. In a test:
 *
 *     const network = await startNetwork();
 *     const host = await network.addHost('host1', { megabitsPerSecond: 200 });
 *     ... host.runner as the beginning of a command line, host.address, network.address for what serves them all ...
 *     host.unplug(); host.plugIn();
 *     await network.stop();
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder, startProcess } from '../helpers/processes.js';
import type { ServerProcess } from '../helpers/processes.js';

export interface HostOptions {
  /** What its link takes in each direction; unlimited by default. */
  readonly megabitsPerSecond?: number;
}

export interface Host {
  readonly name: string;
  readonly address: string;
  /** Runs what follows on this host. It sees the files of the machine, unless something else is mounted with `inside`. */
  readonly runner: readonly string[];
  /** Bytes that have come through its cable. */
  receivedBytes(): number;
  /** Runs a short command there to its end. */
  inside(...command: readonly string[]): string;
  /** Its cable is out: nothing comes and nothing goes, and no connection is told. */
  unplug(): void;
  plugIn(): void;
}

export interface Network {
  /** Of what every host reaches: Temporal, the source. */
  readonly address: string;
  /** Runs what follows where the servers are. */
  readonly runner: readonly string[];
  addHost(name: string, options?: HostOptions): Promise<Host>;
  stop(): Promise<void>;
}

interface Namespace {
  readonly pid: string;
  readonly runner: readonly string[];
  readonly holder: ServerProcess;
  inside(...command: readonly string[]): string;
}

/** A namespace that lives as long as its holder, which goes with this process, however that ends. */
async function openNamespace(dir: string, name: string): Promise<Namespace> {
  const pidFile = join(dir, `${name}.pid`);
  const script = `hostname ${name}; ip link set lo up; echo $$ >${pidFile}; exec sleep infinity`;
  const holder = await startProcess({
    name: `holder-${name}`,
    command: 'unshare',
    args: ['--net', '--uts', '--mount', 'sh', '-c', script],
    dir,
    isReady: () => Promise.resolve(existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== ''),
  });
  const pid = readFileSync(pidFile, 'utf8').trim();
  const runner = ['nsenter', '--target', pid, '--net', '--uts', '--mount'];
  const inside = (...command: readonly string[]): string => {
    const [program = '', ...rest] = [...runner, ...command];
    return execFileSync(program, rest, { stdio: 'pipe', encoding: 'utf8' });
  };
  return { pid, runner, holder, inside };
}

/** The first of our networks that this machine has no address in. */
function freeNetwork(pid: string): string {
  const taken = execFileSync('ip', ['-o', 'address'], { encoding: 'utf8' });
  for (let tries = 0; tries < 250; tries += 1) {
    const net = `10.214.${(Number(pid) + tries) % 250}`;
    if (!taken.includes(`${net}.`)) return net;
  }
  throw new Error('no free network');
}

/** A switch with the servers' address, a cable to this process, and a cable to every host. */
export async function startNetwork(): Promise<Network> {
  const dir = scratchFolder('network');
  const hub = await openNamespace(dir, 'hub');
  const net = freeNetwork(hub.pid);
  const address = `${net}.1`;
  const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'pipe' });
  hub.inside('ip', 'link', 'add', 'switch', 'type', 'bridge');
  hub.inside('ip', 'address', 'add', `${address}/24`, 'dev', 'switch');
  hub.inside('ip', 'link', 'set', 'switch', 'up');
  const own = `wc${hub.pid}`;
  ip('link', 'add', own, 'type', 'veth', 'peer', 'name', 'machine', 'netns', hub.pid);
  ip('address', 'add', `${net}.254/24`, 'dev', own);
  ip('link', 'set', own, 'up');
  const plug = (cable: string): void => {
    hub.inside('ip', 'link', 'set', cable, 'master', 'switch', 'up');
  };
  plug('machine');
  const holders = [hub.holder];
  let count = 0;
  const addHost: Network['addHost'] = async (name, options = {}) => {
    const host = await openNamespace(dir, name);
    holders.push(host.holder);
    count += 1;
    const [cable, hostAddress] = [`cable${count}`, `${net}.${9 + count}`];
    hub.inside(
      'ip',
      'link',
      'add',
      cable,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      host.pid,
    );
    host.inside('ip', 'address', 'add', `${hostAddress}/24`, 'dev', 'eth0');
    host.inside('ip', 'link', 'set', 'eth0', 'up');
    plug(cable);
    if (options.megabitsPerSecond !== undefined) {
      const rate = ['tbf', 'rate', `${options.megabitsPerSecond}mbit`, 'burst', '256k'];
      const shape = (dev: string): string[] => [
        ...['tc', 'qdisc', 'add', 'dev', dev, 'root', ...rate, 'latency', '50ms'],
      ];
      hub.inside(...shape(cable));
      host.inside(...shape('eth0'));
    }
    return {
      name,
      address: hostAddress,
      runner: host.runner,
      inside: host.inside,
      receivedBytes: () => {
        const text = host.inside('ip', '-j', '-s', 'link', 'show', 'eth0');
        const [link] = JSON.parse(text) as { stats64: { rx: { bytes: number } } }[];
        return link?.stats64.rx.bytes ?? 0;
      },
      // Off the switch both ends stay up, so that neither side is told: as with a broken cable further away.
      unplug: () => void hub.inside('ip', 'link', 'set', cable, 'nomaster'),
      plugIn: () => plug(cable),
    };
  };
  return {
    address,
    runner: hub.runner,
    addHost,
    stop: async () => {
      await Promise.all(holders.map((holder) => holder.stop()));
    },
  };
}
