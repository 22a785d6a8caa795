import { describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Picture, plainLine, type PictureStream } from '../../src/cli/progress/picture.js';
import { render } from '../../src/cli/progress/render.js';
import { widthOf } from '../../src/cli/progress/spans.js';
import { SCENES } from './frames/scenes.js';

const place = (columns: number): string =>
  fileURLToPath(new URL(`../../../test/cli/frames/${columns}.txt`, import.meta.url));

function framesAt(columns: number): string {
  return SCENES.map(([name, view, nowMs]) =>
    [`== ${name}`, ...render(view, columns, nowMs), ''].join('\n'),
  ).join('\n');
}

describe('the picture of a pull', () => {
  it.each([40, 80, 120])('is the golden one at %d columns', (columns) => {
    const frames = framesAt(columns);
    // UPDATE_FRAMES=1 writes them anew; look at the difference before it is committed.
    if (process.env['UPDATE_FRAMES'] === '1') writeFileSync(place(columns), frames);
    expect(frames).toBe(readFileSync(place(columns), 'utf8'));
  });

  it('is never wider than the terminal, whatever the width, and has no control character', () => {
    const wrong: unknown[] = [];
    for (let columns = 20; columns <= 132; columns += 1) {
      for (const [name, view, nowMs] of SCENES) {
        for (const line of render(view, columns, nowMs, columns % 2 === 0)) {
          const isTame = !/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u.test(line);
          if (widthOf(line) > columns || !isTame) wrong.push([name, columns, line]);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('is ASCII in a locale that is not UTF-8, but for names', () => {
    for (const [name, view, nowMs] of SCENES.filter(([scene]) => !scene.includes('names'))) {
      expect([name, render(view, 40, nowMs, false).join('')]).toEqual([
        name,
        expect.stringMatching(/^[ -~]*$/),
      ]);
    }
  });
});

/** What a terminal was told. */
function recorder(columns: number, rows = 24): PictureStream & { columns: number; said: string } {
  const stream = { columns, rows, said: '', write: (text: string) => (stream.said += text) };
  return stream;
}

const UP = (rows: number): string => `\u001b[${rows}A`;

describe('drawing over the last frame', () => {
  const lines = (...texts: readonly string[]) => texts.map(plainLine);

  it('goes up by the lines of the last frame and erases nothing before it is written anew', () => {
    const stream = recorder(80);
    const picture = new Picture(stream);
    picture.draw(lines('one', 'two', 'three'));
    stream.said = '';
    picture.draw(lines('eins', 'zwei'));
    expect(stream.said).toBe(
      `\u001b[?2026h${UP(2)}\r\u001b[?7leins\u001b[K\nzwei\u001b[K\u001b[J\u001b[?7h\u001b[?2026l`,
    );
  });

  it('goes up by what its lines were broken into when the terminal got narrower', () => {
    const stream = recorder(80);
    const picture = new Picture(stream);
    picture.draw(lines('x'.repeat(70), 'y'));
    stream.columns = 30;
    stream.said = '';
    picture.draw(lines('short'));
    expect(stream.said).toContain(`${UP(3)}\r\u001b[J\u001b[?7lshort`);
  });

  it('goes up by its lines alone where a terminal breaks none anew', () => {
    const stream = recorder(80);
    const picture = new Picture(stream, false);
    picture.draw(lines('x'.repeat(70), 'y'));
    stream.columns = 30;
    stream.said = '';
    picture.draw(lines('short'));
    expect(stream.said).toContain(`${UP(1)}\r`);
  });

  it('draws no more lines than there are rows, and none over what others wrote', () => {
    const stream = recorder(80, 4);
    const picture = new Picture(stream);
    picture.draw(lines('1', '2', '3', '4', '5'));
    expect(stream.said).not.toContain('4');
    picture.forget();
    stream.said = '';
    picture.draw(lines('new'));
    expect(stream.said).not.toContain('A\r');
    picture.clear();
    stream.said = '';
    picture.clear();
    expect(stream.said).toBe('');
  });
});
