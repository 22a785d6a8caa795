#!/usr/bin/env node
/** The entry of the command line. Only what parsing needs is loaded here. */
import { CommanderError } from 'commander';
import type { Subject } from './context.js';
import { readFailureHints } from './failure-hints.js';
import { buildProgram } from './program.js';
import { Redactor } from './redact.js';
import { packageVersion } from './version.js';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const redactor = new Redactor();
const argv = process.argv.slice(2);

/** Waits until what was written has left the process: a pipe may still be full. */
async function flush(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.destroyed || !stream.writable) return;
  await new Promise<void>((resolve) => {
    stream.write('', () => resolve());
  });
}

async function leave(exitCode: number): Promise<never> {
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  process.exit(exitCode);
}

const subject: Subject = { pullId: null, destination: null, hasResult: false };

async function fail(error: unknown): Promise<number> {
  const [{ tellFailure }, { isAskedFor }] = await Promise.all([
    import('./failure.js'),
    import('../config.js'),
  ]);
  const hints = readFailureHints(argv);
  return tellFailure(error, {
    redactor,
    subject,
    isDebug: hints.isDebug || isAskedFor('debug'),
    isJson: hints.isJson || isAskedFor('json'),
    writeOut: (text) => process.stdout.write(text),
    writeError: (text) => process.stderr.write(text),
  });
}

function checkPlatform(): string | undefined {
  if (process.platform === 'win32') return 'Waybill runs on Linux and macOS; on Windows use WSL';
  if (major < 20 || (major === 20 && minor < 20)) {
    return `Waybill needs Node.js 20.20 or later; this is ${process.versions.node}`;
  }
  return undefined;
}

async function run(): Promise<number> {
  const problem = checkPlatform();
  if (problem !== undefined) {
    process.stderr.write(`waybill: ${problem}\n`);
    return 2;
  }
  if (argv[0] === 'help' && argv[1] !== undefined) {
    const { topicText } = await import('./topics.js');
    const topic = topicText(argv[1]);
    if (topic !== undefined) {
      process.stdout.write(`${topic}\n`);
      return 0;
    }
  }
  let exitCode = 0;
  const program = buildProgram(packageVersion(), async (load, flags, args) => {
    const [{ createContext }, command] = await Promise.all([import('./context.js'), load()]);
    exitCode = await command(createContext(flags, redactor, subject, process), args);
  });
  if (argv.length === 0) {
    program.outputHelp({ error: true });
    return 2;
  }
  try {
    await program.parseAsync(process.argv);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    return fail(error);
  }
  return exitCode;
}

// A reader that went away (`| head`) is no error of ours; stderr gone means going on without words.
process.stdout.on('error', () => process.exit(141));
process.stderr.on('error', () => undefined);
// Libraries warn about the runtime; that is for us, not for the person who waits for a file.
process.removeAllListeners('warning');
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    void fail(error).then(leave, () => process.exit(1));
  });
}

// To process 1 the kernel gives no signal that it does not listen to: until a command does, a stop ends it as it would any other.
if (process.pid === 1) {
  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(exitCode);
    });
  }
}

await leave(await run());
