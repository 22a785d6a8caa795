/**
 * How the histories in a local database are written: what is in their payloads, and whether they are signed. It is
 * part of the database's name, so that a release that writes them otherwise starts with a database of its own. Pulls
 * of the one before go on from the record at their destination (rule 5). 1: plain. 2: may be signed.
 */
export const HISTORY_FORMAT = 2;
