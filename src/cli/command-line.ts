/** The command that was typed, as it can be typed again. */
import type { Redactor } from './redact.js';
import { shellQuote } from '../model/shell-quote.js';

/** `waybill pull ...` without secrets and without what sends it to the background. */
export function againCommand(argv: readonly string[], redactor: Redactor): string {
  const words = argv.filter((word) => word !== '--detach' && word !== '-d');
  return ['waybill', ...words.map((word) => shellQuote(redactor.redact(word)))].join(' ');
}
