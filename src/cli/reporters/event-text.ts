/** Events as sentences. */
import type { PullEvent } from '../events.js';

/** The sentence of an event that is worth a line of its own; undefined for the others. */
export function eventText(event: PullEvent): string | undefined {
  switch (event.type) {
    case 'retry': {
      const why = event.reason === null ? '' : ` (${event.reason})`;
      return `try ${event.attempt} of ${event.name}${why}`;
    }
    case 'failure':
      return `failed: ${event.path}: ${event.message}`;
    case 'phase':
      return event.reason === null ? undefined : `${event.phase}: ${event.reason}`;
    case 'remark':
      return event.text;
    case 'started':
    case 'progress':
      return undefined;
  }
}
