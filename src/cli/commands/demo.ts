/** `waybill demo`: four scenes with real parts, each with its proof. */
import { scrubbedEnvironment } from '../../config.js';
import { runDemo as playDemo } from '../../demo/demo.js';
import type { CommandContext } from '../context.js';

const STOPS = { SIGINT: 130, SIGTERM: 143 } as const;

/** Runs the command: proofs on stdout, the rest on stderr. A stop takes away what was made, a second one leaves at once. */
export async function runDemo({ config, output, flags, subject }: CommandContext): Promise<number> {
  subject.outlivesReader = true;
  const controller = new AbortController();
  let exitCode = 0;
  const listeners = (['SIGINT', 'SIGTERM'] as const).map((signal) => {
    const listener = (): void => {
      if (controller.signal.aborted) process.exit(STOPS[signal]);
      exitCode = STOPS[signal];
      controller.abort();
    };
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  try {
    await playDemo({
      cacheDir: config.cacheDir,
      temporalCli: config.temporalCli,
      env: scrubbedEnvironment(),
      io: {
        say: (line) => output.say(line),
        prove: (line) => {
          if (output.isJson) output.json({ type: 'proof', text: line });
          else output.result(`PROVEN ${line}`);
        },
      },
      signal: controller.signal,
      isKept: flags['keep'] === true,
    });
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    output.say('stopped');
  } finally {
    for (const remove of listeners) remove();
  }
  if (output.isJson) {
    const code = exitCode === 0 ? null : 'WB_STOPPED';
    output.jsonResult({ code }, exitCode);
  }
  return exitCode;
}
