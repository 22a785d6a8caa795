/** Events as sentences. */
import type { PullEvent } from '../events.js';
import type { PullLabel } from './reporter.js';

/** Longer reasons are in the record; here they would bury the rest. */
const MAX_REASON = 140;

function shorten(text: string): string {
  return text.length <= MAX_REASON ? text : `${text.slice(0, MAX_REASON - 1)}…`;
}

/** The sentence of an event that is worth a line of its own; undefined for the others. */
export function eventText(event: PullEvent): string | undefined {
  switch (event.type) {
    case 'retry': {
      const why = event.reason === null ? '' : `: ${shorten(event.reason)}`;
      return `try ${event.attempt} of ${event.name}${why}`;
    }
    case 'failure':
      return event.message.includes(event.path)
        ? `failed: ${event.message}`
        : `failed: ${event.path}: ${event.message}`;
    case 'phase':
      return event.reason === null ? undefined : `${event.phase}: ${event.reason}`;
    case 'remark':
      return event.text;
    case 'started':
    case 'progress':
      return undefined;
  }
}

/** Tells each thing once: a name that fails again for the same reason only counts up. */
export class Remarks {
  private readonly told = new Set<string>();

  constructor(private readonly limit: number) {}

  /** The sentences of these events that were not told before; none after the limit, the counts tell then. */
  of(events: readonly PullEvent[]): string[] {
    return events.flatMap((event) => {
      if (event.type === 'phase') return [];
      const key = event.type === 'retry' ? `${event.name}\n${event.reason ?? ''}` : undefined;
      const text = eventText(event);
      if (text === undefined || this.told.has(key ?? text)) return [];
      this.told.add(key ?? text);
      return this.told.size <= this.limit ? [text] : [];
    });
  }
}

/** The first line of a pull: from where, to where, through which Temporal. */
export function startedText({ source, destination, temporal, joined, goesOn }: PullLabel): string {
  const how = joined
    ? ', joined: it was running already'
    : goesOn
      ? ', goes on where it stopped'
      : '';
  return `${source} -> ${destination} (${temporal}${how})`;
}
