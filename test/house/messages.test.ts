/** docs/troubleshooting.md quotes messages as users see them; a message that no longer exists helps nobody. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const page = readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8');
const quoted = [...page.matchAll(/\*\*`([^`\n]*)`\*\*/gu)].map(([, message = '']) => message);

const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
  .join('\n')
  // A long message is written in pieces.
  .replaceAll(/[`'] \+\n\s*[`']/gu, '');

describe('docs/troubleshooting.md', () => {
  it('quotes messages', () => expect(quoted.length).toBeGreaterThan(15));

  it.each(quoted)('quotes a message that Waybill has: %s', (message) => {
    const pieces = message
      .split('…')
      .map((piece) => piece.trim())
      .filter((piece) => piece.length > 3);
    expect(pieces).not.toEqual([]);
    for (const piece of pieces) expect([piece, source.includes(piece)]).toEqual([piece, true]);
  });
});
