/** The variables of Azure's tools, and how one is picked among several. */
import { AZURE_SETTINGS } from '../lib/setting-variables.js';

/** Settings that travel with the request. */
export const SETTING_VARIABLES = AZURE_SETTINGS;

/** Those that name an identity of the machine, or of its user. */
export const IDENTITY_VARIABLES = [
  'AZURE_TENANT_ID',
  'AZURE_CLIENT_ID',
  'AZURE_CLIENT_CERTIFICATE_PATH',
  'AZURE_FEDERATED_TOKEN_FILE',
] as const satisfies readonly (typeof SETTING_VARIABLES)[number][];

/** The first that is set and not blank. */
export function pick(
  values: Readonly<Record<string, string>>,
  names: readonly string[],
): { name: string; value: string } | undefined {
  for (const name of names) {
    const value = values[name]?.trim();
    if (value !== undefined && value !== '') return { name, value };
  }
  return undefined;
}
