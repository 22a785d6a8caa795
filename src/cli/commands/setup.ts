/** `waybill setup`: fetch what a later pull needs. */
import { runSetup as fetchAll } from '../../service/setup.js';
import type { CommandContext } from '../context.js';

/** Makes the folders and gets the Temporal CLI; run again it does nothing. */
export async function runSetup({ config, output }: CommandContext): Promise<number> {
  const { stateDir, cacheDir, temporalCli } = config;
  const report = await fetchAll({
    stateDir,
    cacheDir,
    temporalCli,
    onProgress: (line) => output.say(line),
  });
  if (output.isJson) {
    output.jsonResult({ ...report });
    return 0;
  }
  const { path, version, serverVersion, origin } = report.temporalCli;
  output.say(`state ${report.stateDir}, cache ${report.cacheDir}`);
  output.result(`Temporal CLI ${version} (server ${serverVersion}, ${origin}): ${path}`);
  return 0;
}
