/** The code blocks of the documentation, as a reader meets them: page by page, from top to bottom. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One fenced block. */
export interface Block {
  readonly page: string;
  /** The line of the opening fence, from 1. */
  readonly line: number;
  /** `sh`, `python`, `toml`, ...; empty where none is said. */
  readonly language: string;
  /**
   * What stands behind the language, which readers do not see: `exit=6` (the block ends so), `file=PATH` (its text is what
   * stands in that file), `by-hand` (it is not run; the test names why).
   */
  readonly tags: ReadonlyMap<string, string>;
  readonly text: string;
}

/** What a page takes for granted, unseen by readers: `<!-- before: waybill pull ... -->`. */
const BEFORE = /^<!-- before: (.*) -->$/u;

const FENCE = /^( *)```([\w-]*)((?: [^`]*)?)$/u;

/** The blocks of a page in order. A fence that is not closed is an error. */
export function readBlocks(root: string, page: string): Block[] {
  const blocks: Block[] = [];
  let open: { block: Omit<Block, 'text'>; indent: string; lines: string[] } | undefined;
  for (const [index, line] of readFileSync(join(root, page), 'utf8').split('\n').entries()) {
    const fence = FENCE.exec(line);
    if (open === undefined) {
      const before = BEFORE.exec(line)?.[1];
      if (before !== undefined) {
        blocks.push({
          page,
          line: index + 1,
          language: 'sh',
          tags: new Map(),
          text: `${before}\n`,
        });
      }
      if (fence === null) continue;
      const [, indent = '', language = '', rest = ''] = fence;
      const block = { page, line: index + 1, language, tags: tagsOf(rest) };
      open = { block, indent, lines: [] };
    } else if (fence?.[2] === '' && fence[1] === open.indent) {
      blocks.push({ ...open.block, text: `${open.lines.join('\n')}\n` });
      open = undefined;
    } else {
      open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    }
  }
  if (open !== undefined) throw new Error(`${page}:${open.block.line}: the block does not end`);
  return blocks;
}

function tagsOf(text: string): Map<string, string> {
  const words = text.split(' ').filter((word) => word !== '');
  return new Map(
    words.map((word) => {
      const [name = '', ...value] = word.split('=');
      return [name, value.join('=')];
    }),
  );
}
