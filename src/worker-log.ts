/** The log of a worker: lines on stderr, JSON or for people, and never a secret in one (rule 3). */
import { writeSync } from 'node:fs';
import pino, { type Logger } from 'pino';
import { hideSecretLooking } from './model/secret-text.js';

/** How lines are written. */
export type LogFormat = 'json' | 'text';

/** `2026-05-01T10:00:00.000Z warn an attempt failed code=WB_TIMEOUT attempt=2`. */
function asText(line: string): string {
  const { level, time, msg, pid, ...facts } = JSON.parse(line) as Record<string, unknown>;
  void pid;
  const shown = Object.entries(facts).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return `${name}=${/[\s="]/.test(text) ? JSON.stringify(text) : text}`;
  });
  return `${[time, level, msg, ...shown].map(String).join(' ')}\n`;
}

/** Opens it. Every line has a level, a time, the process id and `msg`, in this order and `msg` last. */
export function openWorkerLog(format: LogFormat, fd = 2): Logger {
  const write = (line: string): void => {
    const hidden = hideSecretLooking(line);
    try {
      writeSync(fd, format === 'json' ? hidden : asText(hidden));
    } catch {
      // Nobody reads it any more: no reason to stop a pull.
    }
  };
  return pino(
    {
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    { write },
  );
}
