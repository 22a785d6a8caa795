/** What a server says of one file when it is asked. */
import type { ObjectEntry } from '../../model/object-entry.js';
import { isTimestamp } from './list-lines.js';
import type { Session } from './login.js';
import { Refusal, type Reply } from './replies.js';
import { factsOf } from './walk.js';

/** What SIZE and MDTM say of a file. */
export type Facts = Pick<ObjectEntry, 'sizeBytes' | 'modifiedAt' | 'pin'>;

/** The server knows neither SIZE nor MDTM: nothing follows, not even that there is such a file. */
export const UNTOLD: Facts = {};

/** Size and time of a file; the refusal where it is none, or missing. Links are followed by the server. */
export async function look({ connection }: Session, wire: string): Promise<Facts | Refusal> {
  const size = await connection.send(`SIZE ${wire}`);
  const time = await connection.send(`MDTM ${wire}`);
  const sizeBytes = size.code === 213 ? Number(valueOf(size.lines)) : undefined;
  const modified = time.code === 213 ? valueOf(time.lines) : undefined;
  if (sizeBytes === undefined && (!isUnknown(size) || modified === undefined)) {
    if (!isUnknown(size)) return new Refusal(size, 'SIZE');
    return isUnknown(time) ? UNTOLD : new Refusal(time, 'MDTM');
  }
  return factsOf({
    ...(Number.isSafeInteger(sizeBytes) ? { sizeBytes } : {}),
    ...(modified !== undefined && isTimestamp(modified) ? { modified } : {}),
  } as { sizeBytes?: number; modified?: string });
}

/** Whether an answer says that the server does not have the command. */
function isUnknown({ code }: Reply): boolean {
  return code >= 500 && code < 505;
}

function valueOf(lines: readonly string[]): string {
  return (lines[0] ?? '').slice(4).trim();
}
