/** Files of certificates and keys that a setting names. */
import { readFileSync } from 'node:fs';
import { WaybillError } from '../../model/errors.js';

/** Reads one. A file that cannot be read is WB_CONFIG_INVALID naming the variable. */
export function readText(place: string, variable: string): string {
  try {
    return readFileSync(place, 'utf8');
  } catch (cause) {
    throw unreadable(variable, place, cause);
  }
}

/** The error of a place that cannot be read. */
export function unreadable(variable: string, place: string, cause: unknown): WaybillError {
  return invalid(`${variable} names ${place}, which cannot be read: correct it or unset it`, cause);
}

/** A setting that cannot be right. */
export function invalid(message: string, cause?: unknown): WaybillError {
  return new WaybillError('WB_CONFIG_INVALID', message, {
    operation: 'open',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Whether a setting has a value. */
export function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '';
}
