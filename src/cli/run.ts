/** The command line. Only what parsing needs is loaded here. */
import { CommanderError, type Command } from 'commander';
import type { Subject } from './context.js';
import { readFailureHints } from './failure-hints.js';
import { buildProgram, type Dispatch } from './program.js';
import { Redactor } from './redact.js';
import { packageVersion } from './version.js';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const redactor = new Redactor();
const argv = process.argv.slice(2);
const hints = readFailureHints(argv);
/** What broke stdout, once it did. */
let lostOutput: NodeJS.ErrnoException | undefined;

/** Waits until what was written has left the process: a pipe may still be full. */
async function flush(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.destroyed || !stream.writable) return;
  await new Promise<void>((resolve) => {
    stream.write('', () => resolve());
  });
}

function tellLostOutput({ code = '', message }: NodeJS.ErrnoException): void {
  const why = code === 'ENOSPC' ? 'no space is left there (ENOSPC)' : message;
  process.stderr.write(`waybill: cannot write to stdout: ${why}\n`);
}

/** A result that could not be told is no success; a reader that went away did not want it. */
async function leave(exitCode: number): Promise<never> {
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  if (exitCode !== 0 || lostOutput === undefined || lostOutput.code === 'EPIPE') {
    process.exit(exitCode);
  }
  tellLostOutput(lostOutput);
  await flush(process.stderr);
  process.exit(1);
}

const subject: Subject = {
  pullId: null,
  destination: null,
  hasResult: false,
  outlivesReader: false,
};

async function fail(error: unknown): Promise<number> {
  const [{ commandsAt }, { tellFailure }, { isAskedFor, knownStateDir }] = await Promise.all([
    import('./at-cluster.js'),
    import('./failure.js'),
    import('../config.js'),
  ]);
  const logsIn = hints.cluster === undefined ? knownStateDir() : undefined;
  return tellFailure(error, {
    redactor,
    subject,
    isDebug: hints.isDebug || isAskedFor('debug'),
    isJson: hints.isJson || isAskedFor('json'),
    ...(logsIn === undefined ? {} : { logsIn }),
    complete: commandsAt(hints),
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
  let exitCode = 0;
  // With --json help and version are a result too.
  let shown = '';
  const show = (text: string): void => {
    if (hints.isJson) shown += text;
    else process.stdout.write(text);
  };
  const dispatch: Dispatch = async (load, flags, args) => {
    const [{ createContext }, command] = await Promise.all([import('./context.js'), load()]);
    const context = createContext(flags, redactor, subject, process);
    exitCode = await command(context, args);
    if (context.output.isJson && !subject.hasResult) context.output.jsonResult({}, exitCode);
  };
  const program = buildProgram(packageVersion(), dispatch, show);
  if (argv.length === 0) {
    program.outputHelp({ error: true });
    return 2;
  }
  try {
    if (argv[0] === 'help') await help(program, show);
    else await program.parseAsync(process.argv);
  } catch (error) {
    if (!(error instanceof CommanderError && error.exitCode === 0)) return fail(error);
  }
  if (shown !== '') {
    const text = shown.trimEnd();
    process.stdout.write(
      `${JSON.stringify({ type: 'result', ok: true, exitCode: 0, code: null, text })}\n`,
    );
  }
  return exitCode;
}

/** `waybill help [command|topic]`. Anything else is WB_USAGE. */
async function help(program: Command, show: (text: string) => void): Promise<void> {
  const [name] = argv.slice(1).filter((word) => !word.startsWith('-'));
  const { topicText, TOPIC_NAMES } = await import('./topics.js');
  const topic = name === undefined ? undefined : topicText(name);
  if (topic !== undefined) {
    show(`${topic}\n`);
    return;
  }
  const named = program.commands.find((command) => command.name() === name);
  if (name === undefined || named !== undefined) {
    (named ?? program).outputHelp();
    return;
  }
  const { WaybillError } = await import('../model/errors.js');
  throw new WaybillError(
    'WB_USAGE',
    `there is no command and no topic "${name}"; waybill --help lists the commands, the topics are ${TOPIC_NAMES.join(', ')}`,
  );
}

// A reader that went away (`| head`) is no error of ours, and no reason to leave a pull; stderr gone means going on without words.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (lostOutput !== undefined) return;
  lostOutput = error;
  if (subject.outlivesReader) return;
  if (error.code === 'EPIPE') process.exit(141);
  tellLostOutput(error);
  process.exit(1);
});
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
