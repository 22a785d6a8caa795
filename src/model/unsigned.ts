/**
 * What stands in the place of a value that came through the local Temporal without a signature of this state folder
 * (rule 1). The codec puts it there; workflows, activities and the client refuse it.
 */
const MARK = 'waybill:unsigned';

/** A value that nobody is to believe. */
export interface Unsigned {
  readonly [MARK]: true;
}

export const UNSIGNED: Unsigned = { [MARK]: true };

/** Whether a value is the stand-in of an unsigned one. */
export function isUnsigned(value: unknown): value is Unsigned {
  return typeof value === 'object' && value !== null && MARK in value;
}
