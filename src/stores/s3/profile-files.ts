/** The AWS configuration files, as far as the store reads them itself. */
import { WaybillError } from '../../model/errors.js';
import type { ProfileSettings } from './config.js';

type Section = Readonly<Record<string, string | undefined>>;

/** The profile's own section, and the one of the services that it names. */
export interface ProfileSections {
  readonly profile: Section;
  readonly services: Section;
}

/** Reads both; empty where there is none. Files that cannot be read are WB_CONFIG_INVALID. */
export async function readProfileSections(settings: ProfileSettings): Promise<ProfileSections> {
  const { loadSharedConfigFiles } = await import('@smithy/core/config');
  const { profile: name = 'default', configFile, credentialsFile } = settings;
  const files = await loadSharedConfigFiles({
    ignoreCache: true,
    ...(configFile === undefined ? {} : { configFilepath: configFile }),
    ...(credentialsFile === undefined ? {} : { filepath: credentialsFile }),
  }).catch((cause: unknown) => {
    throw new WaybillError('WB_CONFIG_INVALID', 'the AWS configuration file cannot be read', {
      operation: 'open',
      store: 's3',
      cause,
    });
  });
  const profile: Section = { ...files.credentialsFile[name], ...files.configFile[name] };
  return { profile, services: files.configFile[`services.${profile['services'] ?? ''}`] ?? {} };
}

/** Whether the profile's keys come from a single sign-on and from nothing that the AWS tools look at before. */
export function isSignOn(profile: Section): boolean {
  const before = ['aws_access_key_id', 'role_arn', 'credential_process'];
  return (
    profile['sso_account_id'] !== undefined && before.every((key) => profile[key] === undefined)
  );
}
