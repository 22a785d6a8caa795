/** Columns for people. */
import stringWidth from 'string-width';
import { safeText } from './safe-text.js';

/** Rows as left-aligned columns, two spaces apart; widths as a terminal shows them. */
export function formatColumns(rows: readonly (readonly string[])[]): string {
  const safe = rows.map((row) => row.map(safeText));
  const widths: number[] = [];
  for (const row of safe) {
    row.forEach((cell, index) => {
      widths[index] = Math.max(widths[index] ?? 0, stringWidth(cell));
    });
  }
  const pad = (cell: string, index: number): string =>
    cell + ' '.repeat((widths[index] ?? 0) - stringWidth(cell));
  return safe.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}
