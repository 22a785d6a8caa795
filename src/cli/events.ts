/** What `--json` prints: one event a line. `schema/events.json` says the same to machines. */

/** Rises when a reader of the old form could misread the new one. */
export const EVENT_VERSION = 1;
