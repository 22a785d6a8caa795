import type { Socket } from 'node:net';

/**
 * Splits what a socket receives into lines.
 * @param onLine gets each line without its end, never an empty one
 * @param maxLineBytes a longer line destroys the socket: the other side does not speak this language
 */
export function readLines(
  socket: Socket,
  maxLineBytes: number,
  onLine: (line: string) => void,
): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    rest += chunk;
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      if (line !== '') onLine(line);
    }
    if (rest.length > maxLineBytes) socket.destroy();
  });
}
