/** The table in docs/stores.md. */

const START = '<!-- npm run trials -- --write -->';
const END = '<!-- end -->';

/** The document with these rows in its table: those of a store that is there already are replaced, others added. */
export function withRows(document: string, rows: readonly string[]): string {
  const [before, rest] = split(document, START);
  const [table, after] = split(rest, END);
  const lines = table.trim().split('\n');
  for (const row of rows) {
    const at = lines.findIndex((line) => cellOf(line) === cellOf(row));
    if (at < 0) lines.push(row);
    else lines[at] = row;
  }
  return `${before}${START}\n\n${lines.join('\n')}\n\n${END}${after}`;
}

const cellOf = (line: string): string => line.split('|')[1]?.trim() ?? '';

function split(text: string, mark: string): readonly [string, string] {
  const at = text.indexOf(mark);
  if (at < 0) throw new Error(`docs/stores.md has no line ${mark}`);
  return [text.slice(0, at), text.slice(at + mark.length)];
}
