/**
 * Sockets that are read no faster than a pull may go. undici's own way of pausing an answer fails an assertion, and
 * with it the thread, where the connection ends while it is paused: here its parser never pauses, there is just
 * nothing to read yet.
 */
import type { buildConnector } from 'undici';
import type { StorePace } from '../store.js';

type Connector = buildConnector.connector;
type Socket = Parameters<buildConnector.Callback>[1];

/** The same connector, whose sockets keep to the pace. */
export function pacedConnector(connect: Connector, pace: StorePace | undefined): Connector {
  if (pace === undefined) return connect;
  return (options, callback) => {
    connect(options, (...[error, socket]: Parameters<buildConnector.Callback>) => {
      if (error === null) callback(null, keepPace(socket, pace));
      else callback(error, null);
    });
  };
}

function keepPace(socket: NonNullable<Socket>, pace: StorePace): NonNullable<Socket> {
  const read = socket.read.bind(socket);
  let isHeld = false;
  socket.read = (size?: number): unknown => {
    if (isHeld) return null;
    const most = pace.quantumBytes();
    const chunk: unknown = read(size ?? (socket.readableLength > most ? most : undefined));
    const turn = chunk instanceof Buffer ? pace.afterBytes(chunk.length) : undefined;
    if (turn !== undefined) {
      isHeld = true;
      void turn.then(() => {
        isHeld = false;
        if (!socket.destroyed) socket.emit('readable');
      });
    }
    return chunk;
  };
  return socket;
}
