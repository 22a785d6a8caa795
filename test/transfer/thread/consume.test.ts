/** Reading a body chunk by chunk: however it ends, the reader hears of it. */
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { Cell } from '../../../src/transfer/thread/cell.js';
import { consume } from '../../../src/transfer/thread/consume.js';

/** As the bodies of stores do: a failure that nobody hears of ends no process. */
function body(): Readable {
  return new Readable({ read: () => undefined }).on('error', () => undefined);
}

const closed = (stream: Readable): Promise<void> =>
  new Promise((resolve) => stream.once('close', resolve));

describe('rule 11: a body', () => {
  it('that failed before anybody listened fails whoever reads it', async () => {
    const stream = body();
    const gone = closed(stream);
    stream.destroy(new Error('broke off'));
    await gone;
    await expect(consume(stream, new Cell(), () => undefined)).rejects.toThrow('broke off');
  });

  it('that was closed before anybody listened is no end of it', async () => {
    const stream = body();
    const gone = closed(stream);
    stream.destroy();
    await gone;
    const read = consume(stream, new Cell(), () => undefined);
    await expect(read).rejects.toThrow('closed before the body ended');
  });

  it('that is all there before anybody listens is read to its end', async () => {
    const stream = Readable.from([Buffer.from('all'), Buffer.from(' of it')], {
      objectMode: false,
    });
    const chunks: string[] = [];
    const read = consume(stream, new Cell(), (chunk) => void chunks.push(chunk.toString()));
    expect(await read).toBe('ended');
    expect(chunks.join('')).toBe('all of it');
  });
});
