/** Data nodes that could not be reached: a name node goes on naming them until it notices, ten minutes later. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';

/** So long another one is asked for; then the node may be back. */
const REMEMBERED_MS = 60_000;

/** The nodes that this thread could not reach lately. */
export class DeadNodes {
  /** By address, when it is forgotten. */
  private readonly until = new Map<string, number>();

  constructor(private readonly now: () => number = () => performance.now()) {}

  /**
   * What asks a name node for others. Addresses without a port: it compares ports with those of Hadoop's own protocol, and none
   * with that of HTTP, which is what a redirect says.
   */
  query(): Readonly<Record<string, string>> {
    for (const [address, until] of this.until) {
      if (until <= this.now()) this.until.delete(address);
    }
    if (this.until.size === 0) return {};
    return { excludedatanodes: [...this.until.keys()].join(',') };
  }

  /** @param hostname as a redirect names it; a name node knows its nodes by address */
  async add(hostname: string): Promise<void> {
    const host = hostname.replace(/^\[|\]$/g, '');
    const address = isIP(host) === 0 ? await addressOf(host) : host;
    this.until.set(address, this.now() + REMEMBERED_MS);
  }
}

/** A host that this machine cannot find is one that a proxy would have found: its name does no harm. */
async function addressOf(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch {
    return host;
  }
}
