/** The command line of the service process. It holds no secret: others on the host can read it. */
import { parseArgs } from 'node:util';
import * as z from 'zod';

const serviceArgumentsSchema = z.strictObject({
  stateDir: z.string().min(1),
  mode: z.enum(['background', 'inline']),
  temporalCli: z.string().min(1),
  serverVersion: z.string().regex(/^[\w.+-]{1,64}$/u),
  workerScript: z.string().min(1),
  idleAfterMs: z.coerce.number().nonnegative(),
  /** A worker that says nothing for so long is ended and started again; absent: a minute. */
  workerSilentMs: z.coerce.number().positive().exactOptional(),
  /** Where its worker shows its metrics; absent: nowhere. */
  metricsBind: z.string().exactOptional(),
});

/** How the service process is started. */
export type ServiceArguments = z.infer<typeof serviceArgumentsSchema>;

/** Background: for all commands, until it idles out. Inline: a child that ends with its command. */
export type ServiceMode = ServiceArguments['mode'];

const NAMES = {
  stateDir: 'state-dir',
  mode: 'mode',
  temporalCli: 'temporal-cli',
  serverVersion: 'server-version',
  workerScript: 'worker-script',
  idleAfterMs: 'idle-after-ms',
  workerSilentMs: 'worker-silent-ms',
  metricsBind: 'metrics-bind',
} as const satisfies Record<keyof ServiceArguments, string>;

/** Writes the arguments. */
export function formatServiceArguments(args: ServiceArguments): string[] {
  return [
    ...['--state-dir', args.stateDir, '--mode', args.mode, '--temporal-cli', args.temporalCli],
    ...['--server-version', args.serverVersion, '--worker-script', args.workerScript],
    ...['--idle-after-ms', String(args.idleAfterMs)],
    ...(args.workerSilentMs === undefined
      ? []
      : ['--worker-silent-ms', String(args.workerSilentMs)]),
    ...(args.metricsBind === undefined ? [] : ['--metrics-bind', args.metricsBind]),
  ];
}

/** Reads them back. */
export function parseServiceArguments(argv: readonly string[]): ServiceArguments {
  const options = Object.fromEntries(
    Object.values(NAMES).map((name) => [name, { type: 'string' as const }]),
  );
  const { values } = parseArgs({ args: [...argv], options, strict: true });
  return serviceArgumentsSchema.parse(
    Object.fromEntries(
      Object.entries(NAMES).flatMap(([field, name]) =>
        values[name] === undefined ? [] : [[field, values[name]]],
      ),
    ),
  );
}
