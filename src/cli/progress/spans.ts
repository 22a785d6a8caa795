/** Lines made of coloured pieces that fit into a number of columns. */
import stringWidth from 'string-width';
import { safeText } from '../safe-text.js';

/** How a piece looks. */
export type Tone = 'plain' | 'dim' | 'bold' | 'good' | 'warn' | 'bad';

/** A piece of a line. */
export interface Span {
  readonly text: string;
  readonly tone: Tone;
}

/** A line. */
export type Line = readonly Span[];

/** A piece; control characters in it are escaped. */
export function span(text: string, tone: Tone = 'plain'): Span {
  return { text: safeText(text), tone };
}

/** Columns that text takes in a terminal. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

function takeWhileFits(characters: readonly string[], columns: number): string {
  let taken = '';
  let width = 0;
  for (const character of characters) {
    width += widthOf(character);
    if (width > columns) break;
    taken += character;
  }
  return taken;
}

/** Cuts text at its end. */
export function cutEnd(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  if (columns <= 1) return '…'.slice(0, Math.max(0, columns));
  const characters = Array.from(graphemes.segment(text), (found) => found.segment);
  return `${takeWhileFits(characters, columns - 1)}…`;
}

/** Cuts a path at its start: its end says more. */
export function cutStart(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  if (columns <= 1) return '…'.slice(0, Math.max(0, columns));
  const characters = Array.from(graphemes.segment(text), (found) => found.segment).reverse();
  const taken = takeWhileFits(characters, columns - 1);
  const kept = Array.from(graphemes.segment(taken), (found) => found.segment).reverse();
  return `…${kept.join('')}`;
}

/** Joins pieces with a separator and leaves out those at the end that do not fit; the first is cut if it must be. */
export function fitPieces(pieces: readonly Line[], separator: string, columns: number): Line {
  const line: Span[] = [];
  let width = 0;
  for (const piece of pieces) {
    const pieceWidth = piece.reduce((sum, part) => sum + widthOf(part.text), 0);
    const between = line.length === 0 ? 0 : widthOf(separator);
    if (line.length > 0 && width + between + pieceWidth > columns) break;
    if (line.length > 0) line.push(span(separator));
    line.push(...piece);
    width += between + pieceWidth;
  }
  return cutLine(line, columns);
}

/** Cuts a line at its end. */
export function cutLine(line: Line, columns: number): Line {
  const kept: Span[] = [];
  let left = columns;
  for (const part of line) {
    if (left <= 0) break;
    const text = cutEnd(part.text, left);
    kept.push({ text, tone: part.tone });
    left -= widthOf(text);
  }
  return kept;
}

/** Breaks text into at most so many lines at spaces; the last one is cut. */
export function wrapText(text: string, columns: number, maxLines: number): string[] {
  const lines: string[] = [];
  let current = '';
  for (const word of text.split(' ')) {
    const joined = current === '' ? word : `${current} ${word}`;
    if (widthOf(joined) <= columns || current === '') current = joined;
    else {
      lines.push(current);
      current = word;
    }
  }
  lines.push(current);
  const kept = lines.slice(0, maxLines);
  const rest = lines.slice(maxLines - 1).join(' ');
  if (lines.length > maxLines) kept[maxLines - 1] = rest;
  return kept.map((line) => cutEnd(line, columns));
}
