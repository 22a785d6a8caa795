/** The ports of a database: chosen once, stored beside it and used again, so that addresses stay (rule 8). */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import * as z from 'zod';
import { WaybillError } from '../model/errors.js';
import { isErrno } from './errno.js';
import { writePrivateFile } from './service-files.js';
import { probeTemporal } from './temporal-probe.js';

const portSchema = z.number().int().min(1024).max(65_535);
const portsSchema = z.object({
  temporal: portSchema,
  ui: portSchema,
  /** Set once the namespace of the database keeps what has ended for so long. */
  retentionDays: z.number().optional(),
  /** Every task queue of the database has one partition, and always had. */
  hasOnePartition: z.boolean().optional(),
});

/** Where Temporal and its web page listen, on 127.0.0.1. */
export type Ports = z.infer<typeof portsSchema>;

const PROBE_TIMEOUT_MS = 1_000;

/**
 * Below the ports that Linux (32768 and up) and macOS (49152 and up) give to connections that go out: one of those
 * may get a port in the moment between the look at it and Temporal's start, and keep it for long.
 */
const NEW_PORTS = { from: 15_000, below: 32_000, tries: 50 };

/**
 * The ports to start Temporal on. A stored port that a stranger has taken is replaced by a free one.
 * @throws WaybillError WB_TEMPORAL_UNREACHABLE when a Temporal that is not recorded listens on the stored port:
 *   it may have the same database open
 */
export async function claimPorts(file: string): Promise<Ports> {
  const stored = readPorts(file);
  const temporal = await claimTemporalPort(stored?.temporal);
  const ui = await claimPort(stored?.ui);
  const ports = { ...stored, temporal, ui };
  if (stored?.temporal !== temporal || stored.ui !== ui) writePorts(file, ports);
  return ports;
}

/** Stores the ports of a database. */
export function writePorts(file: string, ports: Ports): void {
  writePrivateFile(file, `${JSON.stringify(ports)}\n`);
}

/** The stored ports; undefined when there are none yet. */
export function readPorts(file: string): Ports | undefined {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return portsSchema.safeParse(parsed).data;
  } catch {
    return undefined;
  }
}

/** Whether nobody listens on this port of 127.0.0.1; 0 asks for any free one. Returns the port, or undefined. */
export function bindOnce(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      if (isErrno(error, 'EADDRINUSE') || isErrno(error, 'EACCES')) resolve(undefined);
      else reject(error);
    });
    server.listen({ port, host: '127.0.0.1' }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(bound));
    });
  });
}

async function claimTemporalPort(stored: number | undefined): Promise<number> {
  if (stored === undefined || (await bindOnce(stored)) !== undefined) return claimPort(stored);
  const found = await probeTemporal(`127.0.0.1:${stored}`, PROBE_TIMEOUT_MS);
  if (found === 'not temporal' || found === 'nobody') return claimPort(undefined);
  throw new WaybillError(
    'WB_TEMPORAL_UNREACHABLE',
    `A Temporal server that this Waybill did not record listens on 127.0.0.1:${stored}, the port of its ` +
      'database. End that server, or use another WAYBILL_STATE_DIR.',
    { operation: 'start Temporal' },
  );
}

async function freePort(): Promise<number | undefined> {
  for (let tries = 0; tries < NEW_PORTS.tries; tries += 1) {
    const port = await bindOnce(randomInt(NEW_PORTS.from, NEW_PORTS.below));
    if (port !== undefined) return port;
  }
  return bindOnce(0);
}

async function claimPort(stored: number | undefined): Promise<number> {
  const again = stored === undefined ? undefined : await bindOnce(stored);
  const port = again ?? (await freePort());
  if (port !== undefined) return port;
  throw new WaybillError('WB_TEMPORAL_UNREACHABLE', 'There is no free port on 127.0.0.1.', {
    operation: 'start Temporal',
  });
}
