import { existsSync } from 'node:fs';
import type { Environment } from './environment.js';
import type { ServiceMode } from './service-arguments.js';

/**
 * Whether the local service lives in the background or as a child of the command. What is left running in a
 * CI job or a container is killed with it, or keeps it from ending.
 * @param setting what WAYBILL_SERVICE says, if anything
 */
export function chooseServiceMode(
  setting: ServiceMode | undefined,
  environment: Environment,
): ServiceMode {
  if (setting !== undefined) return setting;
  const isTrue = (value: string | undefined): boolean =>
    value !== undefined && !['', '0', 'false'].includes(value);
  const isCi = isTrue(environment['CI']);
  const isContainer =
    isTrue(environment['KUBERNETES_SERVICE_HOST']) ||
    isTrue(environment['container']) ||
    ['/.dockerenv', '/run/.containerenv'].some((path) => existsSync(path));
  return isCi || isContainer || process.pid === 1 ? 'inline' : 'background';
}
