/** The command line: every command with its options. What a command needs is loaded when it runs. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { CommandFunction, Flags } from './context.js';
import { afterError, EPILOGUES, examplesText } from './help.js';

/** Runs a command that was parsed. */
export type Dispatch = (
  load: () => Promise<CommandFunction>,
  flags: Flags,
  args: readonly (string | undefined)[],
) => Promise<void>;

const collect = (value: string, previous: readonly string[] = []): readonly string[] => [
  ...previous,
  value,
];

function digestOrLocation(value: string): string {
  if (value.startsWith('sha256:') && !/^sha256:[0-9a-f]{64}$/i.test(value)) {
    throw new InvalidArgumentError('a SHA-256 has 64 hexadecimal digits.');
  }
  return value;
}

function addPullOptions(command: Command): Command {
  return command
    .optionsGroup('What to fetch:')
    .option('--include <glob>', 'only what matches; may be repeated', collect)
    .option('--exclude <glob>', 'not what matches; wins over --include', collect)
    .option('--files-from <file>', 'exactly the paths in FILE, one a line or NUL; - is stdin')
    .option('--connection <name>', 'a [connections.NAME] of waybill.toml')
    .option('--tracking-uri <uri>', 'the MLflow server of models:/ and runs:/')
    .option('--max-files <n>', 'refuse a source with more files')
    .option('--max-bytes <size>', 'refuse a source with more bytes')
    .optionsGroup('What is there already:')
    .option('--if-exists <what>', 'update (default), overwrite, skip or fail')
    .option('--checksum', 'hash what is there instead of trusting size and times')
    .option('--prune', 'remove what the source no longer has and nobody changed')
    .option('--replace-source', 'another source may go into a sealed destination')
    .option('--take-over', 'take a destination whose owner cannot be asked, or whose share is gone')
    .optionsGroup('Proof:')
    .addOption(
      new Option(
        '--expect <digest>',
        'sha256:HEX, or a SHA256SUMS or manifest (file or URI)',
      ).argParser(digestOrLocation),
    )
    .option('--require <level>', 'none (default), size, provider, published or digest')
    .option('--reread', 'read every written file back from the disk')
    .optionsGroup('Running:')
    .option('-n, --dry-run', 'say what would be fetched or kept, and why; touch nothing')
    .option('-d, --detach', 'start it and leave')
    .option('--here', 'on a cluster: fetched by this command, into a folder of this host')
    .option(
      '--concurrency <n>',
      'connections to the source at most; how many it is worth is found out',
    )
    .option('--max-bandwidth <rate>', 'bytes a second, as 200MiB/s')
    .option('--requests-per-second <n>', 'requests to the source')
    .option('--give-up-after <duration>', 'when nothing moved for so long (15m); or never')
    .option('--timeout <duration>', 'the longest that the whole pull may take')
    .option('--receipt-out <file>', 'copy the receipt to FILE');
}

/** They take the options of the others, for a script that gives the same to all, and have no use for them. */
const WITHOUT_TEMPORAL = 'ls verify seal setup doctor stores completion demo'.split(' ');

function addCommon(command: Command): Command {
  const isHidden = WITHOUT_TEMPORAL.includes(command.name());
  const temporal = [
    new Option('--cluster <address>', 'a Temporal cluster instead of the local service'),
    new Option('--namespace <name>', 'the Temporal namespace on a cluster'),
    new Option('--local', 'the local service, whatever TEMPORAL_ADDRESS says'),
  ];
  command
    .optionsGroup(isHidden ? 'Output:' : 'Output and Temporal:')
    .option('--json', 'print JSON on stdout; the last line is the result')
    .option('-q, --quiet', 'print the result and nothing else; of a pull, its destination')
    .option('--debug', 'show stack traces, with every cause');
  for (const option of temporal) command.addOption(option.hideHelp(isHidden));
  return command;
}

/** `--include --json` has forgotten its pattern: a flag of the command is no value of another. */
function refuseFlagAsValue(option: Option, command: Command): void {
  if (!option.required) return;
  const parse = option.parseArg;
  option.argParser((value: string, previous: unknown) => {
    const isFlag = command.options.some(({ short, long }) => value === short || value === long);
    if (isFlag) {
      throw new InvalidArgumentError(
        `${value} is an option itself, and ${option.long ?? option.flags} needs a value.`,
      );
    }
    return parse === undefined ? value : parse(value, previous);
  });
}

/** Examples first, and after an error what to type next. */
function teach(command: Command, name: string, words: string): Command {
  const examples = examplesText(name);
  const epilogue = EPILOGUES[name];
  if (examples !== '') command.addHelpText('before', examples);
  if (epilogue !== undefined) command.addHelpText('after', epilogue);
  return command.showHelpAfterError(afterError(words));
}

const OUTRO = `
waybill <command> --help shows examples and options. Also worth a page:
waybill help exit-codes, waybill help levels, waybill help units.`;

/** `pull <source> [destination]`; that there are options goes without saying. */
function termOf(command: Command): string {
  const below = command.commands.map((one) => ` ${one.name()}`).join('|');
  const words = command.registeredArguments.map((argument) =>
    argument.required ? ` <${argument.name()}>` : ` [${argument.name()}]`,
  );
  return command.name() + below + words.join('');
}

/** Builds the parser. It throws CommanderError instead of ending the process. */
export function buildProgram(
  version: string,
  dispatch: Dispatch,
  writeOut: (text: string) => void = (text) => void process.stdout.write(text),
): Command {
  const program = new Command('waybill')
    .description('Durable, verified downloads of machine-learning artifacts.')
    .usage('<command> [options]')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', OUTRO)
    .configureHelp({ subcommandTerm: termOf })
    .configureOutput({
      writeOut,
      outputError: (text, write) => write(text.replace(/^error: /, 'waybill: ')),
    })
    .exitOverride()
    .enablePositionalOptions();
  teach(program, '', 'waybill');

  const add = (
    usage: string,
    summary: string,
    load: () => Promise<CommandFunction>,
    extend: (command: Command) => Command = (command) => command,
  ): Command => {
    const command = program.command(usage).description(summary);
    extend(command);
    addCommon(command);
    for (const option of command.options) refuseFlagAsValue(option, command);
    teach(command, command.name(), command.name());
    return command.action(async () => {
      await dispatch(load, command.opts(), command.processedArgs as (string | undefined)[]);
    });
  };

  program.commandsGroup('Pulling:');
  add(
    'pull <source> [destination]',
    'fetch a tree or a file, verify it, publish it',
    async () => (await import('./commands/pull.js')).runPull,
    addPullOptions,
  );
  add(
    'ls <source>',
    'what a pull would fetch',
    async () => (await import('./commands/ls.js')).runLs,
    (command) =>
      command
        .option('-r, --recursive', 'everything below')
        .option(
          '--models-only',
          'of runs:/?experiment=NAME, the runs whose metric model_uploaded is 1',
        )
        .option('--connection <name>', 'a [connections.NAME] of waybill.toml')
        .option(
          '--tracking-uri <uri>',
          'the MLflow server of models:/ and runs:/, or its folder or database',
        ),
  );
  add(
    'verify [destination]',
    'hash again and compare with the manifest',
    async () => (await import('./commands/verify.js')).runVerify,
    (command) => command.option('--quick', 'sealed or not, without hashing'),
  );
  add(
    'seal <directory>',
    'write the manifest of a tree before it is published',
    async () => (await import('./commands/seal.js')).runSeal,
  );

  program.commandsGroup(
    'Running pulls ([id]: an id, its prefix, a destination; default: the latest):',
  );
  add('pulls', 'all pulls', async () => (await import('./commands/pulls.js')).runPulls);
  add(
    'status [id]',
    'one pull in full',
    async () => (await import('./commands/status.js')).runStatus,
  );
  add('watch [id]', 'one pull, live', async () => (await import('./commands/watch.js')).runWatch);
  for (const [verb, summary] of [
    ['pause', 'stop the bytes, keep what is there'],
    ['resume', 'go on'],
    ['cancel', 'end it, keep what is there'],
    ['retry', 'try now what waits for its next attempt'],
  ] as const) {
    add(`${verb} [id]`, summary, async () => (await import('./commands/steer.js')).steer(verb));
  }

  add(
    'tune [id]',
    'how fast it may go; takes effect at once',
    async () => (await import('./commands/tune.js')).runTune,
    (command) =>
      command
        .option(
          '--concurrency <n>',
          'connections to the source at most; how many it is worth is found out',
        )
        .option('--max-bandwidth <rate>', 'bytes a second, as 200MiB/s; never: no limit')
        .option('--requests-per-second <n>', 'requests to the source; never: no limit')
        .option('--give-up-after <duration>', 'when nothing moved for so long (15m); or never'),
  );

  program.commandsGroup('The service:');
  add(
    'up',
    'start the local service and keep it',
    async () => (await import('./commands/service.js')).runUp,
  );
  add(
    'down',
    'stop the local service',
    async () => (await import('./commands/service.js')).runDown,
    (command) =>
      command.option('--force', 'also while pulls are running; they go on at the next start'),
  );
  add(
    'setup',
    'fetch what is needed, for images and offline use',
    async () => (await import('./commands/setup.js')).runSetup,
  );
  add(
    'doctor',
    'each check with its finding and the command that mends it',
    async () => (await import('./commands/doctor.js')).runDoctor,
  );
  add(
    'worker',
    'a worker for a Temporal cluster',
    async () => (await import('./commands/worker.js')).runWorker,
    (command) =>
      command
        .option('--site <name>', 'serve destinations that are written NAME:/path')
        .optionsGroup('For operators:')
        .option('--metrics-bind <host:port>', 'show Prometheus its metrics there, at /metrics')
        .option('--health-bind <host:port>', 'answer /healthz and /readyz there')
        .option('--grace <duration>', 'once asked to end, go on for so long (20s)')
        .option('--log-format <format>', 'json or text; not set: text on a terminal'),
  );
  add(
    'codec-server',
    "decrypts for Temporal's web page, on this host",
    async () => (await import('./commands/codec-server.js')).runCodecServer,
    (command) =>
      command
        .option(
          '--ui-origin <url>',
          'the web page that is answered, such as https://temporal.example',
        )
        .option('--port <number>', 'where it listens on 127.0.0.1; default 8089'),
  );

  program.commandsGroup('About Waybill:');
  add('stores', 'what it can read', async () => (await import('./commands/stores.js')).runStores);
  const config = program.command('config').description('every value and where it came from');
  teach(config.helpCommand(false), 'config', 'config');
  const show = addCommon(config.command('show').description('every value and where it came from'));
  teach(show, 'show', 'config show').action(async (flags: Flags) => {
    await dispatch(async () => (await import('./commands/config.js')).runConfigShow, flags, []);
  });
  add(
    'completion <shell>',
    'the script that bash, zsh or fish completes with',
    async () => (await import('./commands/completion.js')).completionOf(program),
    (command) => {
      command.registeredArguments[0]?.choices(['bash', 'zsh', 'fish']);
      return command;
    },
  );
  program.command('__complete <what>', { hidden: true }).action(async (what: string) => {
    const load = async () => (await import('./commands/completion.js')).runComplete;
    await dispatch(load, {}, [what]);
  });
  add(
    'demo',
    'four scenes, each with its proof',
    async () => (await import('./commands/demo.js')).runDemo,
    (command) => command.option('--keep', 'leave what it made'),
  );
  program.addHelpCommand(
    new Command('help')
      .argument('[command]')
      .description('the help of a command, or exit-codes, levels, units')
      .helpGroup('About Waybill:')
      .helpOption(false),
  );
  return program;
}
