/** What a pull says beside its files: warnings, and what it left out. Each is told, and written, once. */
import type { Line, SpecialLine } from './journal-lines.js';

/** A receipt names no more. */
const MAX_WARNINGS = 1_000;

export class JournalNotes {
  private readonly warningTexts = new Set<string>();
  private readonly skippedRecordPaths = new Set<string>();
  private readonly specialsByPath = new Map<string, SpecialLine>();

  /** Takes a line. Answers whether it says something new, which has to be written; false for lines of other kinds. */
  take(line: Line): boolean {
    if (line.kind === 'warning') {
      const isFull = this.warningTexts.size >= MAX_WARNINGS;
      return !isFull && addTo(this.warningTexts, line.message);
    }
    if (line.kind === 'skipped record') return addTo(this.skippedRecordPaths, line.path);
    if (line.kind !== 'skipped special') return false;
    const isKnown = this.specialsByPath.get(line.path)?.planId === line.planId;
    if (!isKnown) this.specialsByPath.set(line.path, line);
    return !isKnown;
  }

  warnings(): string[] {
    return [...this.warningTexts];
  }

  skippedRecords(): string[] {
    return [...this.skippedRecordPaths];
  }

  specials(planId: string): SpecialLine[] {
    return [...this.specialsByPath.values()].filter((line) => line.planId === planId);
  }
}

function addTo(known: Set<string>, text: string): boolean {
  const isNew = !known.has(text);
  known.add(text);
  return isNew;
}
